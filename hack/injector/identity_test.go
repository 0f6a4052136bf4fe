// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffegrpc/grpccredentials"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/peer"
)

// callFrom is the context of a call as the callee's daprd gets it, after a handshake by mTLS in which the caller showed an identity.
func callFrom(t *testing.T, identity string) context.Context {
	t.Helper()
	ca := newAuthority(t)
	caller, callee := ca.issue(t, identity), ca.issue(t, "spiffe://public/ns/default/whoami")
	client := grpccredentials.MTLSClientCredentials(caller, ca.bundle(callee), tlsconfig.AuthorizeAny())
	server := grpccredentials.MTLSServerCredentials(callee, ca.bundle(caller), tlsconfig.AuthorizeAny())
	near, far := net.Pipe()
	t.Cleanup(func() {
		_ = near.Close() // the pipe is of no further use, whatever state it is in
		_ = far.Close()
	})
	shaken := make(chan error, 1)
	go func() {
		conn, _, err := client.ClientHandshake(t.Context(), "whoami", near)
		shaken <- err
		if err == nil {
			// With TLS 1.3 the server's tickets are read with the first data; the pipe has no buffer for them.
			_, _ = conn.Read(make([]byte, 1))
		}
	}()
	_, info, err := server.ServerHandshake(far)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return peer.NewContext(t.Context(), &peer.Peer{AuthInfo: info})
}

// authority plays Dapr's sentry.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	key := newKey(t)
	return authority{key: key, cert: sign(t, template, template, key, key)}
}

func (a authority) issue(t *testing.T, identity string) *x509svid.SVID {
	t.Helper()
	id, err := spiffeid.FromString(identity)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	cert := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{id.URL()}, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, key, a.key)
	return &x509svid.SVID{ID: id, Certificates: []*x509.Certificate{cert}, PrivateKey: key}
}

func (a authority) bundle(peer *x509svid.SVID) *x509bundle.Bundle {
	return x509bundle.FromX509Authorities(peer.ID.TrustDomain(), []*x509.Certificate{a.cert})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
