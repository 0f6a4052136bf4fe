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
	// idleTime is longer than an API server keeps a connection that it does not use (clientIdleTime). A request may be on its way on any
	// that the server ends by itself; it fails then, and is not sent again, since it is a POST. It is also how long the first request of a
	// connection may take: an API server opens more than it uses at once, and keeps them for later.
	idleTime = 2 * time.Minute
	// clientIdleTime is that of Kubernetes' clients (k8s.io/apimachinery/pkg/util/net, SetTransportDefaults: that of Go).
	clientIdleTime = 90 * time.Second
	// bodyTime and writeTime are counted from the end of a request's headers. Half of a handshake is cut off after writeTime, too.
	bodyTime  = 10 * time.Second
	writeTime = 10 * time.Second

	maxHeader      = 64 << 10
	maxConnections = 1024
	drainTime      = 10 * time.Second
	// lookTime is how often a server that leaves looks whether anyone is connected still.
	lookTime = 50 * time.Millisecond
)

// server serves admission. It ends in three steps: first it says that it is not ready and serves on, then it waits until nobody is
// connected any more, then it stops.
type server struct {
	http     *http.Server
	listener net.Listener
	leave    leave
	log      *slog.Logger

	serving  atomic.Bool
	draining atomic.Bool
	// connections are those that are open.
	connections atomic.Int64
}

// leave is how long ending takes, from when the server is told to.
type leave struct {
	// lameDuck is how long it serves on in any case.
	lameDuck time.Duration
	// linger is until when it leaves connections open that nobody uses.
	linger time.Duration
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
	srv := &server{leave: s.leave, log: log, listener: listener}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	srv.http = &http.Server{
		Handler:           srv.leaving(handler),
		TLSConfig:         config,
		Protocols:         protocols,
		ConnState:         srv.count,
		ReadHeaderTimeout: idleTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return srv, nil
}

// leaving lets every connection end with its next answer once the server drains, so that the API server opens its next one to another
// replica. It also bounds the time of a body: http.Server.ReadTimeout would count a connection's wait for its first request as well.
func (s *server) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
			http.Error(w, "the time of the body cannot be bounded", http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// count keeps the number of open connections.
func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateHijacked, http.StateClosed:
		s.connections.Add(-1)
	}
}

// serve serves until ctx is done, then until the lame duck and lingering are over, and until what was begun is answered, at most drainTime
// longer.
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
	wait := s.leave
	if errors.Is(context.Cause(ctx), errBroken) {
		wait.linger = 0
	}
	s.log.Info("leaving", "lameDuck", wait.lameDuck, "linger", wait.linger)
	if err := s.outlast(wait, failed); err != nil {
		return fmt.Errorf("serve admission: %w", err)
	}
	// ctx is done; what is being answered gets time of its own.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := s.http.Shutdown(last); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// outlast waits out the lame duck, and then until no connection is left, at most until lingering is over. Those that are used end with
// their next answer; those that are not, the API server ends. Ending them here could fail a request that is already on its way.
func (s *server) outlast(wait leave, failed <-chan error) error {
	linger := time.After(wait.linger)
	select {
	case err := <-failed:
		return err
	case <-time.After(wait.lameDuck):
	}
	look := time.NewTicker(lookTime)
	defer look.Stop()
	for s.connections.Load() > 0 {
		select {
		case err := <-failed:
			return err
		case <-linger:
			s.log.Info("connections are left that nobody used", "connections", s.connections.Load())
			return nil
		case <-look.C:
		}
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
