// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The app is told by its companion who called and who was called, and gets the
// request itself.
func TestRequestPassesBothCompanions(t *testing.T) {
	theWorld(t)
	for _, test := range []struct {
		name, path, received string
	}{
		{name: "root", path: "/", received: "GET / HTTP/1.1"},
		{name: "path and query", path: "/a/b?q=1%2F2", received: "GET /a/b?q=1%2F2 HTTP/1.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := mustAsk(t, request{path: test.path})
			if a.status != 200 {
				t.Fatalf("want 200, got %s", a)
			}
			if a.received != test.received {
				t.Errorf("the app got %q, want %q", a.received, test.received)
			}
			if diff := cmp.Diff([]string{"ingress"}, a.header.Values(callerHeader)); diff != "" {
				t.Errorf("caller: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff([]string{"whoami"}, a.header.Values(calleeHeader)); diff != "" {
				t.Errorf("callee: -want +got:\n%s", diff)
			}
		})
	}
}

// Every replica of the app's companion has the identity that Dapr's sentry
// gives to the app ID, and hangs up on whoever has none.
func TestIdentityOnTheInternalPort(t *testing.T) {
	w := theWorld(t)
	var bundle corev1.ConfigMap
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "dapr-system", Name: "dapr-trust-bundle"}, &bundle); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(bundle.Data["ca.crt"])) {
		t.Fatal("no certificate in the trust bundle")
	}
	for app, replicas := range map[string]int{"whoami": 2, "ingress": 1} {
		pods, err := w.ReadyPods(t.Context(), namespace, client.MatchingLabels{"daprise.dev/companion": app})
		if err != nil {
			t.Fatal(err)
		}
		if len(pods) != replicas {
			t.Errorf("%d ready companions of %s, want %d", len(pods), app, replicas)
		}
		for _, pod := range pods {
			t.Run(pod.Name, func(t *testing.T) {
				leaf := presented(t, net.JoinHostPort(pod.Status.PodIP, "50002"), roots)
				var identities []string
				for _, uri := range leaf.URIs {
					identities = append(identities, uri.String())
				}
				if want := "spiffe://public/ns/default/" + app; !slices.Contains(identities, want) {
					t.Errorf("the certificate is for %q, want %s", identities, want)
				}
			})
		}
	}
}

// presented returns the certificate shown on address, after it was checked
// against roots, and fails the test if the server goes on with a client that shows none.
func presented(t *testing.T, address string, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{
		// Identities are URIs, not host names: the chain is checked below.
		InsecureSkipVerify: true,
		NextProtos:         []string{"h2"},
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// TLS 1.3: the client is done before the server has judged it.
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err == nil {
		n, err := io.ReadFull(conn, make([]byte, 1))
		if err == nil || n > 0 {
			t.Error("the server talks to a client without a certificate")
		}
	}
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := chain[0].Verify(options); err != nil {
		t.Errorf("the certificate is not from sentry's root: %v", err)
	}
	return chain[0]
}
