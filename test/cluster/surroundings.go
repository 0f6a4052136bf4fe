// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// surround makes what a platform team has before it installs daprise: Dapr's namespace with the public trust bundle, and the
// objects in which Cilium says what it is.
func (c *Cluster) surround(ctx context.Context) error {
	if err := c.Apply(ctx, []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: dapr-system}\n")); err != nil {
		return err
	}
	for _, part := range []Part{TrustBundle, CiliumFacts} {
		if slices.Contains(c.options.Without, part) {
			continue
		}
		if err := c.Add(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// Add makes a part that was left out.
func (c *Cluster) Add(ctx context.Context, part Part) error {
	switch part {
	case TrustBundle:
		anchors, err := trustAnchors()
		if err != nil {
			return err
		}
		return c.Apply(ctx, []byte(trustBundle(anchors)))
	case CiliumFacts:
		return c.Apply(ctx, []byte(ciliumFacts))
	default:
		return fmt.Errorf("add %q: no such part", part)
	}
}

// ciliumFacts is the part of Cilium's own objects from which its version and settings are read; the DaemonSet runs nothing here
// but kwok's pods.
const ciliumFacts = `apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data:
  enable-policy: default
  enable-gateway-api: "true"
  policy-cidr-match-mode: ""
  enable-l7-proxy: "true"
  cluster-name: default
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cilium, namespace: kube-system, labels: {k8s-app: cilium, app.kubernetes.io/name: cilium-agent}}
spec:
  selector: {matchLabels: {k8s-app: cilium}}
  template:
    metadata: {labels: {k8s-app: cilium}}
    spec:
      containers:
      - {name: cilium-agent, image: "quay.io/cilium/cilium:v1.20.2"}
`

func trustBundle(anchors string) string {
	indented := strings.ReplaceAll(strings.TrimSpace(anchors), "\n", "\n    ")
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dapr-trust-bundle, namespace: dapr-system}\ndata:\n  ca.crt: |\n    " + indented + "\n"
}

// trustAnchors makes a root certificate like the one that sentry makes for itself.
func trustAnchors() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("trust anchors: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cluster.local"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(365 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", fmt.Errorf("trust anchors: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
