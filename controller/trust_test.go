// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
)

// root is a root certificate, PEM, that expires at a moment.
func root(t *testing.T, expires time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: expires.Add(-time.Hour), NotAfter: expires, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestTrustOf(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bundle := func(text string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{trustBundleKey: text}}
	}
	far, near, gone := root(t, now.Add(365*24*time.Hour)), root(t, now.Add(29*24*time.Hour)), root(t, now.Add(-time.Hour))
	const notFound = "ConfigMap dapr-trust-bundle with key ca.crt was not found in Dapr's namespace"
	tests := []struct {
		name    string
		bundle  *corev1.ConfigMap
		problem string
		expires time.Time
		caveat  string
	}{
		{name: "none", problem: notFound},
		{name: "without its key", bundle: &corev1.ConfigMap{Data: map[string]string{"other": far}}, problem: notFound},
		{name: "no PEM", bundle: bundle("none"), problem: "key ca.crt of ConfigMap dapr-trust-bundle holds no certificate"},
		{name: "broken", bundle: bundle(far + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
			problem: "key ca.crt of ConfigMap dapr-trust-bundle cannot be read: certificate 2: x509: malformed certificate"},
		{name: "one root", bundle: bundle(far), expires: now.Add(365 * 24 * time.Hour)},
		{name: "one that expires soon", bundle: bundle(far + near), expires: now.Add(29 * 24 * time.Hour),
			caveat: "a root certificate of Dapr's trust bundle expires on 2026-03-30"},
		{name: "one that has expired beside another", bundle: bundle(gone + far), expires: now.Add(365 * 24 * time.Hour)},
		{name: "all have expired", bundle: bundle(gone), problem: "no root certificate of ConfigMap dapr-trust-bundle is valid any more: the last expired on 2026-03-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := trustOf(tt.bundle, now)
			if got.problem != tt.problem || !got.expires.Equal(tt.expires) || (got.anchors == "") != (tt.problem != "") {
				t.Errorf("%+v", got)
			}
			caveat := got.caveat()
			if (tt.caveat == "") != (len(caveat) == 0) || tt.caveat != "" && (caveat[0].Message != tt.caveat || caveat[0].Code != mesh.CodeTrustBundle) {
				t.Errorf("caveat %v", caveat)
			}
		})
	}
}

func TestDaprCaveat(t *testing.T) {
	for running, want := range map[string]string{
		"": "", "1.18.2": "", "1.18.9": "", "1.17.4": "Dapr's control plane runs 1.17.4, and companions are made for 1.18.2", "2.18.2": "Dapr's control plane runs 2.18.2, and companions are made for 1.18.2",
	} {
		found := daprCaveat(running, mesh.DefaultConfig().Dapr)
		if (want == "") != (len(found) == 0) || want != "" && found[0].Message != want {
			t.Errorf("%q: %v", running, found)
		}
	}
}
