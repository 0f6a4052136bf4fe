// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

const (
	// caSecret holds our CA: tls.crt, tls.key, ca.crt.
	caSecret     = "daprise-webhook-ca"
	caCommonName = "daprise-webhook-ca"
	caDuration   = 365 * 24 * time.Hour
	leafDuration = 7 * 24 * time.Hour
)

// source hands out the newest certificate there is.
type source interface {
	manager.Runnable
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// newSource makes the source that the settings ask for. In files mode the files must exist.
func newSource(s settings, config *rest.Config) (source, error) {
	if s.tls == tlsFiles {
		watcher, err := certwatcher.New(filepath.Join(s.tlsCertDir, "tls.crt"), filepath.Join(s.tlsCertDir, "tls.key"))
		if err != nil {
			return nil, fmt.Errorf("read the serving certificate: %w", err)
		}
		return watcher, nil
	}
	dns, addresses := s.names()
	return &servertls.DynamicSource{
		DNSNames: dns,
		Authority: &addressing{
			Authority: &authority.DynamicAuthority{
				SecretNamespace: s.namespace,
				SecretName:      caSecret,
				RESTConfig:      config,
				CommonName:      caCommonName,
				CADuration:      caDuration,
				LeafDuration:    leafDuration,
			},
			addresses: addresses,
		},
	}, nil
}

// addressing adds IP addresses to what an authority signs: DynamicSource knows names only, and a client that calls an address looks
// for it among the certificate's addresses alone.
type addressing struct {
	servertls.Authority
	addresses []net.IP
}

// Sign implements servertls.Authority.
func (a *addressing) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	with := *template
	with.IPAddresses = a.addresses
	return a.Authority.Sign(&with)
}

// errNoCertificate is returned to handshakes and probes before there is a certificate.
var errNoCertificate = errors.New("no serving certificate yet")

// served chooses what to serve. A new certificate is taken only when the API server already trusts it, as long as the old one does: after
// a rotation of the CA, ours or cert-manager's, the caBundle in the webhook configurations is a moment behind.
type served struct {
	newest  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	trusted func(*x509.Certificate) error
	now     func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
}

// GetCertificate is for a tls.Config.
func (s *served) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	newest, err := s.newest(hello)
	if err == nil && newest == nil {
		err = errNoCertificate
	}
	if err != nil && !errors.Is(err, servertls.ErrNotAvailable) && !errors.Is(err, errNoCertificate) {
		return nil, fmt.Errorf("serving certificate: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.current == nil:
		return nil, errNoCertificate
	case err != nil:
		return s.current, nil
	case s.current == nil || s.current == newest || s.better(newest):
		s.current = newest
	}
	return s.current, nil
}

// better says whether newest can replace the current certificate: unless only the current one is trusted.
func (s *served) better(newest *tls.Certificate) bool {
	if newest.Leaf == nil || s.current.Leaf == nil || s.now().After(s.current.Leaf.NotAfter) {
		return true
	}
	return s.trusted(newest.Leaf) == nil || s.trusted(s.current.Leaf) != nil
}

// check is nil if the API server would accept what is served.
func (s *served) check() error {
	certificate, err := s.GetCertificate(nil)
	if err != nil {
		return err
	}
	return s.trusted(certificate.Leaf)
}

// expiry is the time until the served certificate expires, in seconds; negative when it has, and zero without one.
func (s *served) expiry() float64 {
	certificate, err := s.GetCertificate(nil)
	if err != nil || certificate.Leaf == nil {
		return 0
	}
	return certificate.Leaf.NotAfter.Sub(s.now()).Seconds()
}
