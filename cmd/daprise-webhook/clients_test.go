// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestClientCertificates: with a CA for clients, the port answers those alone that it signed, under a name that is let in, and follows the
// file when the CA is replaced.
func TestClientCertificates(t *testing.T) {
	serving := newCA(t, caCommonName, time.Now().Add(-time.Hour))
	certificate := serving.leaf(t, time.Now().Add(-time.Minute), "localhost")
	trusted, other := newCA(t, "clients", time.Now().Add(-time.Hour)), newCA(t, "others", time.Now().Add(-time.Hour))
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(authority *x509.Certificate) {
		if err := os.WriteFile(file, encode(authority), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(trusted.certificate)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "yes") })
	s := settings{bindAddress: "127.0.0.1", callers: callers{caFile: file, names: []string{"kube-apiserver"}}}
	srv, err := listen(s, handler, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.serve(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	pool := x509.NewCertPool()
	pool.AddCert(serving.certificate)
	call := func(certificates ...tls.Certificate) error {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: certificates}, DisableKeepAlives: true,
		}}
		response, err := client.Get("https://" + srv.listener.Addr().String())
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	apiServer := *trusted.clientLeaf(t, "kube-apiserver")
	for _, c := range []struct {
		name         string
		certificates []tls.Certificate
		answered     bool
	}{
		{"the API server", []tls.Certificate{apiServer}, true},
		{"nobody", nil, false},
		{"the same CA's certificate of another name", []tls.Certificate{*trusted.clientLeaf(t, "kubelet")}, false},
		{"the same name from another CA", []tls.Certificate{*other.clientLeaf(t, "kube-apiserver")}, false},
		{"a certificate for servers", []tls.Certificate{*trusted.leaf(t, time.Now().Add(-time.Minute), "kube-apiserver")}, false},
	} {
		if err := call(c.certificates...); (err == nil) != c.answered {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	write(other.certificate)
	if err := call(apiServer); err == nil {
		t.Error("a certificate of the CA that was replaced is let in")
	}
	if err := call(*other.clientLeaf(t, "kube-apiserver")); err != nil {
		t.Errorf("a certificate of the new CA: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := call(apiServer); err == nil {
		t.Error("without a CA anybody is let in")
	}
}

// TestClientCAMustExist: a server that could let nobody in does not start.
func TestClientCAMustExist(t *testing.T) {
	s := settings{bindAddress: "127.0.0.1", callers: callers{caFile: filepath.Join(t.TempDir(), "none")}}
	if _, err := listen(s, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it listens")
	}
}
