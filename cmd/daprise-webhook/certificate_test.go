// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/daprise/daprise/webhook/hooks"
)

// start2026 is the clock of these tests.
func start2026() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// ca is a certificate authority made by a test.
type ca struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newCA(t *testing.T, name string, from time.Time) ca {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: from, NotAfter: from.Add(caDuration), KeyUsage: x509.KeyUsageCertSign,
	}
	c := ca{key: newKey(t)}
	c.certificate = c.sign(t, template, c.key.Public())
	return c
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign signs a template for a public key; without a certificate of its own, a CA signs itself.
func (c ca) sign(t *testing.T, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	parent := c.certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, c.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (c ca) leaf(t *testing.T, from time.Time, names ...string) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: from, NotAfter: from.Add(leafDuration),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate := c.sign(t, template, key.Public())
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
}

const service = "daprise-webhook.daprise-system.svc"

func hookOf(url string, bundle []byte) hookClient {
	client := admissionregistrationv1.WebhookClientConfig{CABundle: bundle}
	if url == "" {
		client.Service = &admissionregistrationv1.ServiceReference{Namespace: "daprise-system", Name: "daprise-webhook"}
	} else {
		client.URL = &url
	}
	return hookClient{name: "routes.validate.daprise.dev", client: client}
}

func TestVerify(t *testing.T) {
	now := start2026()
	ours, theirs := newCA(t, caCommonName, now.Add(-time.Hour)), newCA(t, "other", now.Add(-time.Hour))
	leaf := ours.leaf(t, now.Add(-time.Minute), service, "localhost").Leaf
	tests := []struct {
		name string
		hook hookClient
		now  time.Time
		want func(error) bool
	}{
		{"the Service's name", hookOf("", encode(ours.certificate)), now, func(err error) bool { return err == nil }},
		{"a URL's host", hookOf("https://localhost:9443/mutate", encode(ours.certificate)), now, func(err error) bool { return err == nil }},
		{"beside others in the bundle", hookOf("", append(encode(theirs.certificate), encode(ours.certificate)...)), now, func(err error) bool { return err == nil }},
		{"no bundle", hookOf("", nil), now, func(err error) bool { return errors.Is(err, errNoBundle) }},
		{"a bundle that is none", hookOf("", []byte("x")), now, func(err error) bool { return errors.Is(err, errNoBundle) }},
		{"another CA", hookOf("", encode(theirs.certificate)), now, isType[x509.UnknownAuthorityError]},
		{"another name", hookOf("https://127.0.0.1:9443", encode(ours.certificate)), now, isType[x509.HostnameError]},
		{"expired", hookOf("", encode(ours.certificate)), now.Add(2 * leafDuration), isType[x509.CertificateInvalidError]},
		{"not yet valid", hookOf("", encode(ours.certificate)), now.Add(-30 * time.Minute), isType[x509.CertificateInvalidError]},
		{"neither Service nor URL", hookClient{}, now, func(err error) bool { return err != nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := verify(leaf, tt.hook, tt.now); !tt.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestServedCertificate(t *testing.T) {
	now := start2026()
	old, fresh := newCA(t, caCommonName, now.Add(-time.Hour)), newCA(t, caCommonName, now.Add(-time.Minute))
	first, second := old.leaf(t, now, service), fresh.leaf(t, now, service)
	bundle := encode(old.certificate)
	newest := first
	var unavailable error
	s := &served{
		newest:  func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return newest, unavailable },
		trusted: func(c *x509.Certificate) error { return verify(c, hookOf("", bundle), now) },
		now:     func() time.Time { return now },
	}
	step := func(name string, want *tls.Certificate) {
		t.Helper()
		got, err := s.GetCertificate(nil)
		if err != nil || got != want {
			t.Errorf("%s: got %p (%v), want %p", name, got, err, want)
		}
	}
	unavailable = errNoCertificate
	if err := s.check(); !errors.Is(err, errNoCertificate) {
		t.Errorf("before there is one: %v", err)
	}
	unavailable = nil
	step("the first", first)
	newest = second
	step("a new one that the API server does not trust yet", first)
	bundle = append(encode(fresh.certificate), encode(old.certificate)...)
	step("once it does", second)
	if err := s.check(); err != nil {
		t.Errorf("check: %v", err)
	}
	if got, want := s.expiry(), leafDuration.Seconds(); got != want {
		t.Errorf("expiry: want %v, got %v", want, got)
	}
	newest, bundle = first, nil
	step("where neither is trusted, the newest is right", first)
	newest = second
	now = now.Add(2 * leafDuration)
	step("where the current one has expired", second)
	unavailable = errors.New("unreadable")
	if _, err := s.GetCertificate(nil); !errors.Is(err, unavailable) {
		t.Errorf("a fault of the source: %v", err)
	}
}

func TestBundleWith(t *testing.T) {
	now := start2026()
	current := newCA(t, caCommonName, now.Add(-time.Minute))
	older, oldest, third := newCA(t, caCommonName, now.Add(-time.Hour)), newCA(t, caCommonName, now.Add(-2*time.Hour)), newCA(t, caCommonName, now.Add(-3*time.Hour))
	foreign, expired := newCA(t, "other", now.Add(-time.Hour)), newCA(t, caCommonName, now.Add(-2*caDuration))
	join := func(all ...ca) []byte {
		var out []byte
		for _, c := range all {
			out = append(out, encode(c.certificate)...)
		}
		return out
	}
	tests := []struct {
		name string
		live []byte
		now  time.Time
		want []byte
	}{
		{"nothing yet", nil, now, join(current)},
		{"as it should be", join(current), now, join(current)},
		{"after a rotation", join(older), now, join(current, older)},
		{"after two", join(older, oldest), now, join(current, older, oldest)},
		{"after three", join(older, oldest, third), now, join(current, older, oldest)},
		{"later", join(current, older), now.Add(2 * overlap), join(current)},
		{"somebody else's, expired, broken", append(join(foreign, expired), "-----BEGIN"...), now, join(current)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := bundleWith(encode(current.certificate), tt.live, tt.now)
			if !bytes.Equal(tt.want, got) {
				t.Errorf("want %d certificates, got %d", len(hooks.Certificates(tt.want)), len(hooks.Certificates(got)))
			}
			if again := bundleWith(encode(current.certificate), got, tt.now); !bytes.Equal(got, again) {
				t.Error("not idempotent")
			}
		})
	}
	if got := bundleWith([]byte("x"), join(older), now); got != nil {
		t.Errorf("without a CA: %s", got)
	}
}

func TestBundlePatch(t *testing.T) {
	now := start2026()
	current := newCA(t, caCommonName, now)
	right := encode(current.certificate)
	hook := func(name string, bundle []byte) hookClient {
		return hookClient{name, admissionregistrationv1.WebhookClientConfig{CABundle: bundle}}
	}
	if patch := bundlePatch("7", []hookClient{hook("a", right)}, right, now); patch != nil {
		t.Errorf("a patch of what is right: %+v", patch)
	}
	want := &configurationPatch{}
	want.Metadata.ResourceVersion = "7"
	one := webhookPatch{Name: "b"}
	one.ClientConfig.CABundle = right
	want.Webhooks = []webhookPatch{one}
	if diff := cmp.Diff(want, bundlePatch("7", []hookClient{hook("a", right), hook("b", []byte("edited"))}, right, now)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if patch := bundlePatch("7", []hookClient{hook("a", nil)}, nil, now); patch != nil {
		t.Errorf("a patch without a CA: %+v", patch)
	}
}

// authorityOf signs with a test's CA.
type authorityOf struct {
	t  *testing.T
	ca ca
}

func (a authorityOf) Run(context.Context) error               { return nil }
func (a authorityOf) WatchRotation(chan<- struct{})           {}
func (a authorityOf) StopWatchingRotation(ch chan<- struct{}) {}
func (a authorityOf) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	template.NotBefore, template.NotAfter, template.SerialNumber = start2026(), start2026().Add(time.Hour), big.NewInt(1)
	return a.ca.sign(a.t, template, template.PublicKey), nil
}

func TestAddressesAreSignedToo(t *testing.T) {
	a := &addressing{Authority: authorityOf{t, newCA(t, caCommonName, start2026())}, addresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	template := &x509.Certificate{DNSNames: []string{"localhost"}, PublicKey: newKey(t).Public()}
	certificate, err := a.Sign(template)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		if err := certificate.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if template.IPAddresses != nil {
		t.Error("the argument was modified")
	}
}

// clientLeaf is a certificate by which a client of that name shows who it is.
func (c ca) clientLeaf(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	now := time.Now()
	certificate := c.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key.Public())
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
}
