// SPDX-License-Identifier: Apache-2.0

// Command whoami answers every HTTP request with who it is and what it was sent, so that a request's way through gateway, companions
// and traffic split can be read from the answer. It reads WHOAMI_NAME (default: the host name) and WHOAMI_PORT_NUMBER (default 8080;
// WHOAMI_PORT is what Kubernetes sets for a Service whoami), and speaks HTTP/1.1 and HTTP/2 in clear text.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		slog.Error("whoami stops", "error", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	port := cmp.Or(os.Getenv("WHOAMI_PORT_NUMBER"), "8080")
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	slog.Info("listening", "address", listener.Addr().String())
	return serve(ctx, listener, whoami{name: os.Getenv("WHOAMI_NAME")})
}

// serve answers until ctx ends, then lets running requests finish for at most ten seconds.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(shutdown); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// whoami answers with a name, the host and the request.
type whoami struct{ name string }

func (w whoami) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if request.URL.Path == "/health" {
		return // 200
	}
	if _, err := io.WriteString(response, w.describe(request)); err != nil {
		slog.Warn("answer", "error", err)
	}
}

// describe lists headers in the order of their names, the values of one in the order they came.
func (w whoami) describe(request *http.Request) string {
	var text strings.Builder
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	fmt.Fprintf(&text, "Name: %s\nHostname: %s\n", cmp.Or(w.name, host), host)
	fmt.Fprintf(&text, "RemoteAddr: %s\n", request.RemoteAddr)
	fmt.Fprintf(&text, "%s %s %s\nHost: %s\n", request.Method, request.RequestURI, request.Proto, request.Host)
	names := make([]string, 0, len(request.Header))
	for name := range request.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range request.Header[name] {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	return text.String()
}
