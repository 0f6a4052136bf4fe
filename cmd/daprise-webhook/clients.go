// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// callers says who may call the admission port: without a CA anyone who reaches it, as the API server presents no certificate unless it
// is told to (AdmissionConfiguration, WebhookAdmissionConfiguration, kubeConfigFile).
type callers struct {
	// caFile holds the CAs of client certificates, in PEM.
	caFile string
	// names are the common names of certificates that are let in; none is any.
	names []string
}

var (
	errNoCAs      = errors.New("no certificate in it")
	errNoCallerCA = errors.New("--client-names needs --client-ca-file")
)

// require has a TLS configuration ask for a client certificate and verify it. The file is read at every handshake, so that a new CA needs no
// restart: the API server keeps its connections, handshakes are few. A file that cannot be read lets nobody in.
func (c callers) require(base *tls.Config) error {
	if c.caFile == "" {
		return nil
	}
	if _, err := c.pool(); err != nil {
		return err
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := c.pool()
		if err != nil {
			return nil, err
		}
		config := base.Clone()
		config.GetConfigForClient = nil
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, pool
		// A session of an earlier CA must not be resumed: TLS verifies nothing then.
		config.SessionTicketsDisabled = true
		config.VerifyConnection = c.verifyName
		return config, nil
	}
	return nil
}

func (c callers) pool() (*x509.CertPool, error) {
	data, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("read the CAs of clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read the CAs of clients in %s: %w", c.caFile, errNoCAs)
	}
	return pool, nil
}

func (c callers) verifyName(state tls.ConnectionState) error {
	if len(c.names) == 0 {
		return nil
	}
	name := state.PeerCertificates[0].Subject.CommonName
	if !slices.Contains(c.names, name) {
		return fmt.Errorf("the client certificate is %q's, not one of %s", name, strings.Join(c.names, ", "))
	}
	return nil
}
