// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// probes answers /healthz and /readyz. A replica that starts is not ready for a while, and a probe asks again and again: why it is not is
// logged when it changes and not for each probe.
type probes struct {
	ready map[string]healthz.Checker
	log   *slog.Logger

	mu sync.Mutex
	// reasons are those last told, by check.
	reasons map[string]string
	// served says that everything was ready once: then a check that fails is worth a warning.
	served bool
}

// serveProbes has the manager answer probes at an address, for as long as it runs.
func serveProbes(mgr ctrl.Manager, address string, ready map[string]healthz.Checker, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for probes: %w", err)
	}
	p := &probes{ready: ready, log: log, reasons: map[string]string{}}
	server := &manager.Server{
		Name:     "probes",
		Server:   &http.Server{Handler: p.handler(), ReadHeaderTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader},
		Listener: listener,
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("set up the probes: %w", err)
	}
	return nil
}

func (p *probes) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("/readyz", p.readyz)
	return mux
}

// readyz names the checks that fail. Anybody may ask, so it does not say why.
func (p *probes) readyz(w http.ResponseWriter, r *http.Request) {
	var failed []string
	for _, name := range slices.Sorted(maps.Keys(p.ready)) {
		err := p.ready[name](r)
		p.tell(name, err)
		if err != nil {
			failed = append(failed, name)
		}
	}
	if len(failed) > 0 {
		http.Error(w, fmt.Sprintf("not ready: %v", failed), http.StatusServiceUnavailable)
		return
	}
	p.mu.Lock()
	p.served = true
	p.mu.Unlock()
	_, _ = io.WriteString(w, "ok")
}

// tell logs what a check said if it said something else before.
func (p *probes) tell(name string, err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.reasons[name]
	p.reasons[name] = now
	switch {
	case now == before:
	case err == nil:
		p.log.Info("ready", "check", name)
	case p.served:
		p.log.Warn("not ready", "check", name, "reason", now)
	default:
		p.log.Info("not ready yet", "check", name, "reason", now)
	}
}
