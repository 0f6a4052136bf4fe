// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"
)

// TestLameDuck: once told to end, the server says so and goes on serving, ends each connection with its next answer, answers what it
// has begun, and only then refuses.
func TestLameDuck(t *testing.T) {
	authority := newCA(t, caCommonName, time.Now().Add(-time.Hour))
	certificate := authority.leaf(t, time.Now().Add(-time.Minute), "localhost")
	begun, finish := make(chan struct{}), make(chan struct{})
	handler := http.NewServeMux()
	handler.HandleFunc("/quick", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "quick") })
	handler.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "slow")
	})
	srv, err := listen(settings{bindAddress: "127.0.0.1", lameDuck: 300 * time.Millisecond}, handler,
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.check(); !errors.Is(err, errNotServing) {
		t.Errorf("before serving: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.serve(ctx) }()

	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}}
	// get says whether the answer ends the connection.
	get := func(path string) (closes bool, err error) {
		response, err := client.Get("https://" + srv.listener.Addr().String() + path)
		if err != nil {
			return false, err
		}
		defer func() { _ = response.Body.Close() }()
		if response.ProtoMajor != 1 || response.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s over TLS version %x, want HTTP/1.1 over TLS 1.3", response.Proto, response.TLS.Version)
		}
		_, err = io.ReadAll(response.Body)
		return response.Close, err
	}
	if closes, err := get("/quick"); err != nil || closes {
		t.Fatalf("while serving: connection ended %v, %v", closes, err)
	}
	if err := srv.check(); err != nil {
		t.Errorf("while serving: %v", err)
	}
	slow := make(chan error, 1)
	go func() {
		_, err := get("/slow")
		slow <- err
	}()
	<-begun
	stop()
	for srv.check() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := srv.check(); !errors.Is(err, errLeaving) {
		t.Errorf("while leaving: %v", err)
	}
	if closes, err := get("/quick"); err != nil || !closes {
		t.Errorf("while leaving: connection ended %v, %v; want an answer that ends it", closes, err)
	}
	for _, err := get("/quick"); err == nil; _, err = get("/quick") {
		time.Sleep(time.Millisecond)
	}
	close(finish)
	if err := <-slow; err != nil {
		t.Errorf("what was begun: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	authority := newCA(t, caCommonName, time.Now().Add(-time.Hour))
	certificate := authority.leaf(t, time.Now().Add(-time.Minute), "localhost")
	srv, err := listen(settings{bindAddress: "127.0.0.1"}, http.NotFoundHandler(),
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.serve(ctx) }()
	connection, err := tls.Dial("tcp", srv.listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		_ = connection.Close()
		t.Error("TLS 1.2 was accepted")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
