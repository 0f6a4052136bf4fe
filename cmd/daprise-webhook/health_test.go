// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// TestProbes: each change of a check is logged once, however often it is asked, and as a warning only after a start is over.
func TestProbes(t *testing.T) {
	var logged bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	var caches error
	p := &probes{
		ready: map[string]healthz.Checker{
			"admission": func(*http.Request) error { return nil },
			"caches":    func(*http.Request) error { return caches },
		},
		log:     slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
		reasons: map[string]string{},
	}
	ask := func(path string) string {
		w := httptest.NewRecorder()
		p.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Result().Status + ": " + strings.TrimSpace(w.Body.String())
	}
	steps := []struct {
		name   string
		caches error
		want   string
		log    string
	}{
		{"starting", errors.New("Service: not synced"), "503 Service Unavailable: not ready: [caches]", "level=INFO msg=\"not ready yet\" check=caches reason=\"Service: not synced\"\n"},
		{"another reason", errors.New("Gateway: not synced"), "503 Service Unavailable: not ready: [caches]", "level=INFO msg=\"not ready yet\" check=caches reason=\"Gateway: not synced\"\n"},
		{"ready", nil, "200 OK: ok", "level=INFO msg=ready check=caches\n"},
		{"later", errors.New("gone"), "503 Service Unavailable: not ready: [caches]", "level=WARN msg=\"not ready\" check=caches reason=gone\n"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			caches = step.caches
			logged.Reset()
			for range 3 {
				if diff := cmp.Diff(step.want, ask("/readyz")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
			if diff := cmp.Diff(step.log, logged.String()); diff != "" {
				t.Errorf("log -want +got:\n%s", diff)
			}
			if got := ask("/healthz"); got != "200 OK: ok" {
				t.Errorf("/healthz: %s", got)
			}
		})
	}
}
