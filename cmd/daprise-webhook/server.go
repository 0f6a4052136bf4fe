// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of the admission port. A review is at most a few MiB, from a client in the same cluster that waits 5 seconds for the answer.
const (
	readHeaderTime = 5 * time.Second
	readTime       = 10 * time.Second
	writeTime      = 10 * time.Second
	idleTime       = 90 * time.Second
	maxHeader      = 64 << 10
	maxConnections = 1024
	drainTime      = 10 * time.Second
)

// server serves admission. It ends in two steps: first it says that it is not ready and serves on, then it stops.
type server struct {
	http     *http.Server
	listener net.Listener
	lameDuck time.Duration
	log      *slog.Logger

	serving  atomic.Bool
	draining atomic.Bool
}

// listen opens the port. HTTP/2 is off: one of its connections carries any number of requests, and a lame duck could not end one
// without failing some.
func listen(s settings, handler http.Handler, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), log *slog.Logger) (*server, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certificate}
	if err := s.callers.require(config); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", s.address(s.webhookPort))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	srv := &server{lameDuck: s.lameDuck, log: log, listener: listener}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	srv.http = &http.Server{
		Handler:           srv.leaving(handler),
		TLSConfig:         config,
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return srv, nil
}

// leaving lets every connection end with its next answer once the server drains, so that the API server opens its next one to another
// replica. Closing idle connections at once would fail a request that is already on its way.
func (s *server) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// serve serves until ctx is done, lameDuck longer, and until what was begun is answered, at most drainTime longer.
func (s *server) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() {
		failed <- s.http.ServeTLS(netutil.LimitListener(s.listener, maxConnections), "", "")
	}()
	s.serving.Store(true)
	select {
	case err := <-failed:
		return fmt.Errorf("serve admission: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("leaving", "lameDuck", s.lameDuck)
	select {
	case err := <-failed:
		return fmt.Errorf("serve admission: %w", err)
	case <-time.After(s.lameDuck):
	}
	// ctx is done; what is being answered gets time of its own.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := s.http.Shutdown(last); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

var (
	errNotServing = errors.New("the admission port is not served yet")
	errLeaving    = errors.New("leaving")
)

// check is nil while requests should be sent here.
func (s *server) check() error {
	switch {
	case s.draining.Load():
		return errLeaving
	case !s.serving.Load():
		return errNotServing
	default:
		return nil
	}
}
