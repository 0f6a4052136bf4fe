// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// authority is what sentry signs with: a root, and an issuer that the root signed.
type authority struct {
	root                 *x509.Certificate
	rootPEM, issuer, key []byte
}

// newAuthority makes one as an administrator does: sentry takes whatever verifies
// against the trust anchors.
func newAuthority(t *testing.T) authority {
	t.Helper()
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{Organization: []string{name}},
			NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
		}
	}
	rootPublic, rootKey, rootErr := ed25519.GenerateKey(rand.Reader)
	issuerPublic, issuerKey, issuerErr := ed25519.GenerateKey(rand.Reader)
	rootDER, signErr := x509.CreateCertificate(rand.Reader, template("new root"), template("new root"), rootPublic, rootKey)
	if err := errors.Join(rootErr, issuerErr, signErr); err != nil {
		t.Fatal(err)
	}
	root, parseErr := x509.ParseCertificate(rootDER)
	issuerDER, signErr := x509.CreateCertificate(rand.Reader, template("new issuer"), root, issuerPublic, rootKey)
	keyDER, keyErr := x509.MarshalPKCS8PrivateKey(issuerKey)
	if err := errors.Join(parseErr, signErr, keyErr); err != nil {
		t.Fatal(err)
	}
	return authority{
		root: root, rootPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		issuer: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuerDER}),
		key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// The root of all identities is replaced while 50 requests a second flow, in the
// steps of docs/operations.md: first everybody trusts both roots, then sentry signs
// with the new one, for Dapr's control plane, too, then all companions are renewed,
// then the old root is dropped.
// daprise rolls the companions at every change of the trust bundle; nobody else does anything.
func TestTrustAnchorsRotated(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*changeLimit)
	defer cancel()
	var secret corev1.Secret
	if err := w.Client.Get(ctx, bundleKey(), &secret); err != nil {
		t.Fatal(err)
	}
	old, next := secret.Data["ca.crt"], newAuthority(t)
	if identitiesFrom(ctx, t, next.root) == nil {
		t.Fatal("companions have identities of the new root before there is one")
	}
	l := startLoad(t)
	defer l.end(t)
	until(ctx, t, l, 50)

	both := append(slices.Clone(old), next.rootPEM...)
	rolled(ctx, t, "both roots are trusted", func() { trust(ctx, t, both, nil) })
	trust(ctx, t, both, &next)
	restartDapr(ctx, t)
	// Another order of the same roots is a change, too.
	rolled(ctx, t, "identities are of the new root", func() { trust(ctx, t, append(slices.Clone(next.rootPEM), old...), &next) })
	eventually(ctx, t, "all identities are of the new root", func(ctx context.Context) error { return identitiesFrom(ctx, t, next.root) })
	rolled(ctx, t, "the old root is dropped", func() { trust(ctx, t, next.rootPEM, &next) })
	until(ctx, t, l, 100)
	if err := identitiesFrom(ctx, t, next.root); err != nil {
		t.Error(err)
	}
}

func bundleKey() client.ObjectKey {
	return client.ObjectKey{Namespace: "dapr-system", Name: "dapr-trust-bundle"}
}

// trust writes the trust anchors, and what sentry signs with if there is something
// new. The ConfigMap comes first: a sentry that starts and finds the two at odds
// makes a root of its own (dapr pkg/sentry/server/ca/kube.go).
func trust(ctx context.Context, t *testing.T, anchors []byte, with *authority) {
	t.Helper()
	var configMap corev1.ConfigMap
	var secret corev1.Secret
	if err := errors.Join(shared.Client.Get(ctx, bundleKey(), &configMap), shared.Client.Get(ctx, bundleKey(), &secret)); err != nil {
		t.Fatal(err)
	}
	configMap.Data["ca.crt"], secret.Data["ca.crt"] = string(anchors), anchors
	if with != nil {
		secret.Data["issuer.crt"], secret.Data["issuer.key"] = with.issuer, with.key
	}
	if err := errors.Join(shared.Client.Update(ctx, &configMap), shared.Client.Update(ctx, &secret)); err != nil {
		t.Fatal(err)
	}
}

// restartDapr has sentry sign with what it is given, and the operator, which
// companions ask, ask sentry.
func restartDapr(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, name := range []string{"dapr-sentry", "dapr-operator"} {
		kubectl(ctx, t, "-n", "dapr-system", "rollout", "restart", "deployment", name)
		if err := shared.WaitDeployment(ctx, client.ObjectKey{Namespace: "dapr-system", Name: name}); err != nil {
			t.Fatal(err)
		}
	}
}

// rolled makes a change and returns when both companions of the example were
// replaced for it, and those that they replace are gone: until then somebody may
// still remember their addresses.
func rolled(ctx context.Context, t *testing.T, what string, change func()) {
	t.Helper()
	began := time.Now()
	before := map[string]bool{}
	for _, pod := range examplesCompanions(ctx, t) {
		before[pod.Name] = true
	}
	change()
	eventually(ctx, t, what, func(ctx context.Context) error {
		if now := examplesCompanions(ctx, t); len(now) != len(before) {
			return fmt.Errorf("%d companions are ready, want %d", len(now), len(before))
		}
		var pods corev1.PodList
		if err := shared.Client.List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{"daprise.dev/companion"}); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if before[pod.Name] {
				return fmt.Errorf("%s is still there", pod.Name)
			}
		}
		return nil
	})
	tell(t, "%s after %.0f s", what, time.Since(began).Seconds())
}

func examplesCompanions(ctx context.Context, t *testing.T) []corev1.Pod {
	t.Helper()
	var all []corev1.Pod
	for _, app := range []string{"whoami", "ingress"} {
		pods, err := shared.ReadyPods(ctx, namespace, client.MatchingLabels{"daprise.dev/companion": app})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pods...)
	}
	return all
}

// identitiesFrom says which companion of the example shows a certificate that is
// not of that root.
func identitiesFrom(ctx context.Context, t *testing.T, root *x509.Certificate) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root)
	var wrong error
	for _, pod := range examplesCompanions(ctx, t) {
		chain, err := shownBy(ctx, pod.Status.PodIP)
		if err != nil {
			return err
		}
		intermediates := x509.NewCertPool()
		for _, cert := range chain[1:] {
			intermediates.AddCert(cert)
		}
		_, err = chain[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: intermediates})
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", pod.Name, err))
		}
	}
	return wrong
}

// shownBy is the chain of certificates that a companion shows to whoever dials it.
func shownBy(ctx context.Context, address string) ([]*x509.Certificate, error) {
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}} // identities are URIs; the caller verifies
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address, "50002"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates, nil
}
