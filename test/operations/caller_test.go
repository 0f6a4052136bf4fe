// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// callerName is the common name by which the API server shows itself to webhooks.
const callerName = "kube-apiserver"

// apiCaller are the files by which the API server presents a client certificate to webhooks: its AdmissionConfiguration, and the CA.
type apiCaller struct {
	dir, admission, ca string
}

const admissionConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: MutatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]s}
- name: ValidatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]s}
`

const callerKubeconfig = `apiVersion: v1
kind: Config
users:
- name: daprise-webhook.daprise-system.svc
  user: {client-certificate: %s, client-key: %s}
`

func newCaller(dir string) (*apiCaller, error) {
	c := &apiCaller{dir: dir, admission: filepath.Join(dir, "admission.yaml"), ca: filepath.Join(dir, "ca.crt")}
	kubeconfig, certificate, key := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key")
	files := map[string][]byte{
		c.admission: fmt.Appendf(nil, admissionConfiguration, kubeconfig),
		kubeconfig:  fmt.Appendf(nil, callerKubeconfig, certificate, key),
	}
	var err error
	if files[c.ca], files[certificate], files[key], err = issue(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *apiCaller) remove() { _ = os.RemoveAll(c.dir) }

// issue makes a CA and a client certificate of it, all in PEM.
func issue() (ca, certificate, key []byte, err error) {
	a, err := newAuthority("callers")
	if err != nil {
		return nil, nil, nil, err
	}
	certificate, key, err = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: callerName}, NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return a.pem, certificate, key, err
}

// authority is a CA that is good for a day.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-12 * time.Hour), NotAfter: now.Add(12 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key, pem: inPEM("CERTIFICATE", der)}, nil
}

// issue signs a template, and returns certificate and key in PEM.
func (a *authority) issue(template *x509.Certificate) (certificate, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, own.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		return nil, nil, err
	}
	return inPEM("CERTIFICATE", der), inPEM("EC PRIVATE KEY", private), nil
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
