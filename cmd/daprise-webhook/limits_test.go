// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// echoing serves what it reads, with the limits of the admission port or those that a change makes of them, until the test ends.
func echoing(t *testing.T, changes ...func(*http.Server)) (address string) {
	t.Helper()
	authority := newCA(t, caCommonName, time.Now().Add(-time.Hour))
	certificate := authority.leaf(t, time.Now().Add(-time.Minute), "localhost")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(body)
	})
	srv, err := listen(settings{bindAddress: "127.0.0.1"}, handler,
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(srv.http)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.serve(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return srv.listener.Addr().String()
}

func dial(t *testing.T, address string) *tls.Conn {
	t.Helper()
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// answer is the status of what is asked, or the error of a connection that was ended instead.
func answer(t *testing.T, connection net.Conn, request string) (int, error) {
	t.Helper()
	if _, err := io.WriteString(connection, request); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// TestHTTP2IsOff: whoever offers both is answered over HTTP/1.1.
func TestHTTP2IsOff(t *testing.T) {
	if protocol := dial(t, echoing(t)).ConnectionState().NegotiatedProtocol; protocol != "http/1.1" {
		t.Errorf("speaks %q", protocol)
	}
}

// TestHeaders up to the limit are read, more are not.
func TestHeaders(t *testing.T) {
	address := echoing(t)
	// Go lets 4096 bytes more in (net/http, initialReadLimitSize).
	for size, want := range map[int]int{maxHeader / 2: http.StatusOK, maxHeader + 8<<10: http.StatusRequestHeaderFieldsTooLarge} {
		status, err := answer(t, dial(t, address), "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
		if err != nil || status != want {
			t.Errorf("%d bytes of headers: %d, %v; want %d", size, status, err, want)
		}
	}
}

// TestTheAPIServerEndsConnections: whether one was used or not, the server keeps it for longer than an API server does.
func TestTheAPIServerEndsConnections(t *testing.T) {
	if kept := utilnet.SetTransportDefaults(&http.Transport{}).IdleConnTimeout; kept != clientIdleTime {
		t.Errorf("Kubernetes' clients keep connections for %s, we count on %s", kept, clientIdleTime)
	}
	srv, err := listen(settings{bindAddress: "127.0.0.1"}, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.listener.Close() }()
	const longer = clientIdleTime + 10*time.Second
	if h := srv.http; h.IdleTimeout < longer || h.ReadHeaderTimeout < longer || h.ReadTimeout != 0 {
		t.Errorf("a connection is kept for %s after an answer and %s before a request, and a request is read for %s; want %s and no limit", h.IdleTimeout, h.ReadHeaderTimeout, h.ReadTimeout, longer)
	}
}

// TestFirstRequestMayBeLate: a connection that waited for its first request has as much time for the body as any.
func TestFirstRequestMayBeLate(t *testing.T) {
	t.Parallel()
	connection := dial(t, echoing(t))
	<-time.After(bodyTime + time.Second)
	if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1"); err != nil {
		t.Fatal(err)
	}
	<-time.After(100 * time.Millisecond)
	if status, err := answer(t, connection, "2"); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v", status, err)
	}
}

// TestTimeLimits: who says nothing, sends headers without an end, or a body without one, is cut off.
func TestTimeLimits(t *testing.T) {
	// How long headers may take is how long a connection may wait: too long for a test.
	const headerTime = 5 * time.Second
	address := echoing(t, func(s *http.Server) { s.ReadHeaderTimeout = headerTime })
	silent := func(t *testing.T) net.Conn {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return connection
	}
	spoken := func(text string) func(*testing.T) net.Conn {
		return func(t *testing.T) net.Conn {
			connection := dial(t, address)
			if _, err := io.WriteString(connection, text); err != nil {
				t.Fatal(err)
			}
			return connection
		}
	}
	for _, tt := range []struct {
		name  string
		begin func(*testing.T) net.Conn
		limit time.Duration
	}{
		{"no handshake", silent, headerTime},
		{"headers without an end", spoken("POST / HTTP/1.1\r\nHost: localhost\r\n"), headerTime},
		{"a body without an end", spoken("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx"), bodyTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			connection := tt.begin(t)
			defer func() { _ = connection.Close() }()
			const late = 5 * time.Second
			if err := connection.SetReadDeadline(began.Add(tt.limit + late)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, connection); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still open %s after the limit", late)
			}
			if took := time.Since(began); took < tt.limit/2 {
				t.Errorf("cut off after %s, the limit is %s", took, tt.limit)
			}
		})
	}
}

// TestConnections: while there are as many as may be, nobody is served beside them; once the silent ones among them are cut off, calls are
// answered again.
func TestConnections(t *testing.T) {
	address := echoing(t)
	silent := make([]net.Conn, maxConnections)
	for i := range silent {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		silent[i] = connection
		t.Cleanup(func() { _ = connection.Close() })
	}
	const soon = time.Second
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: soon}, Config: &tls.Config{InsecureSkipVerify: true}}
	if connection, err := dialer.DialContext(t.Context(), "tcp", address); err == nil {
		_ = connection.Close()
		t.Fatalf("connection %d was served", maxConnections+1)
	}
	_ = silent[0].Close()
	status, err := answer(t, dial(t, address), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err != nil || status != http.StatusOK {
		t.Errorf("when there is room: %d, %v", status, err)
	}
}
