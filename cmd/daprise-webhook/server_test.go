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
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
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
	srv, err := listen(settings{bindAddress: "127.0.0.1", leave: leave{lameDuck: 300 * time.Millisecond}}, handler,
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

// TestLinger: connections that the client keeps are left open after the lame duck. What it then sends on them is answered; without one left
// the server ends at once, and with one that nobody uses when lingering is over.
func TestLinger(t *testing.T) {
	const lameDuck = 100 * time.Millisecond
	tests := []struct {
		name    string
		linger  time.Duration
		reused  int
		then    func(*http.Client)
		atLeast time.Duration
	}{
		{"used again", time.Minute, 2, func(*http.Client) {}, 0},
		{"ended by the client", time.Minute, 0, (*http.Client).CloseIdleConnections, 0},
		{"kept, and not used", 4 * lameDuck, 0, func(*http.Client) {}, 4 * lameDuck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := keeping(t, leave{lameDuck: lameDuck, linger: tt.linger})
			if reused := c.atOnce(t, 2); reused != 0 {
				t.Fatalf("%d connections were there before", reused)
			}
			began := time.Now()
			c.stop()
			<-time.After(2 * lameDuck)
			if tt.reused > 0 {
				if reused := c.atOnce(t, 2); reused != tt.reused {
					t.Errorf("%d calls after the lame duck went over connections of before, want %d", reused, tt.reused)
				}
			}
			tt.then(c.client)
			if err := <-c.ended; err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < tt.atLeast || took > 30*time.Second {
				t.Errorf("ended after %s", took)
			}
		})
	}
}

// kept is a server and a client that keeps its connections.
type kept struct {
	client *http.Client
	url    string
	stop   context.CancelFunc
	ended  chan error
	// arrived holds up answers until as many requests have come as are sent at once.
	arrived *sync.WaitGroup
}

func keeping(t *testing.T, l leave) *kept {
	t.Helper()
	authority := newCA(t, caCommonName, time.Now().Add(-time.Hour))
	certificate := authority.leaf(t, time.Now().Add(-time.Minute), "localhost")
	c := &kept{ended: make(chan error, 1), arrived: &sync.WaitGroup{}}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		c.arrived.Done()
		c.arrived.Wait()
	})
	srv, err := listen(settings{bindAddress: "127.0.0.1", leave: l}, handler,
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(t.Context())
	go func() { c.ended <- srv.serve(ctx) }()
	pool := x509.NewCertPool()
	pool.AddCert(authority.certificate)
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
	c.url = "https://" + srv.listener.Addr().String()
	return c
}

// atOnce sends so many requests that none is answered before all have arrived, and returns how many went over connections of before.
func (c *kept) atOnce(t *testing.T, requests int) int {
	t.Helper()
	c.arrived.Add(requests)
	var reused atomic.Int64
	var group sync.WaitGroup
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			reused.Add(1)
		}
	}}
	for range requests {
		group.Go(func() {
			request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, c.url, strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			response, err := c.client.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})
	}
	group.Wait()
	return int(reused.Load())
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
