// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// silencer stands between a replica and the API server. silence makes the watches on policies that are open tell nothing any more, while
// their connections stay: as after a fault in a proxy or the network. Those that are opened later are as they should be.
type silencer struct {
	mu     sync.Mutex
	silent chan struct{}
	server *httptest.Server
}

func newSilencer(t *testing.T) *silencer {
	t.Helper()
	target, err := url.Parse(shared.URL())
	if err != nil {
		t.Fatal(err)
	}
	// Trust in the API server alone: each request brings credentials of its own.
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(shared.AdminConfig()))
	if err != nil {
		t.Fatal(err)
	}
	s := &silencer{silent: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
		ModifyResponse: func(response *http.Response) error {
			query := response.Request.URL.Query()
			if query.Get("watch") != "" && strings.HasSuffix(response.Request.URL.Path, "/ciliumnetworkpolicies") {
				s.mu.Lock()
				defer s.mu.Unlock()
				response.Body = &silenced{ReadCloser: response.Body, silent: s.silent, left: response.Request.Context().Done()}
			}
			return nil
		},
	}
	s.server = httptest.NewTLSServer(proxy)
	t.Cleanup(s.server.CloseClientConnections)
	return s
}

func (s *silencer) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.silent)
	s.silent = make(chan struct{})
}

// kubeconfig leads daprise's ServiceAccount through the silencer.
func (s *silencer) kubeconfig(t *testing.T) string {
	t.Helper()
	config, err := shared.ServiceAccountConfig(t.Context(), system, account)
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.TLSClientConfig = s.server.URL, rest.TLSClientConfig{CAData: inPEM("CERTIFICATE", s.server.Certificate().Raw)}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		t.Fatal(err)
	}
	return path
}

// silenced is the body of a watch.
type silenced struct {
	io.ReadCloser
	silent <-chan struct{}
	// left is when nobody waits for the watch any more.
	left <-chan struct{}
}

func (s *silenced) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	select {
	case <-s.silent:
		<-s.left
		return 0, io.EOF
	default:
		return n, err
	}
}

// aWatchGoesSilent: what the watch on policies does not tell any more is found and reported within a minute, and nothing is refused
// because of it.
func aWatchGoesSilent(t *testing.T) {
	const ns = "silent"
	s := newSilencer(t)
	startReplica(t, "--kubeconfig="+s.kubeconfig(t))
	enrol(t, ns)
	covered := func(want string) func() error {
		return func() error {
			if have := field(t, `.status.conditions[?(@.type=="Covered")].status`, "service", "-n", ns, "whoami"); have != want {
				return fmt.Errorf("Covered is %q, want %s", have, want)
			}
			return nil
		}
	}
	cluster.Eventually(t, covered("True"))
	s.silence()
	// Nobody asks daprise about this write, and its watch does not tell of it.
	kubectl(t, "label", "namespace", ns, "daprise.dev/admission=disabled")
	kubectl(t, "delete", "-n", ns, "ciliumnetworkpolicy/to-whoami")
	kubectl(t, "label", "namespace", ns, "daprise.dev/admission-")
	since := time.Now()
	cluster.Eventually(t, covered("False"))
	took := time.Since(since)
	t.Logf("reported after %s", took.Round(time.Second))
	if took > time.Minute {
		t.Errorf("it took %s to find what the watch had missed, more than a minute", took)
	}
	s.silence()
	apply(t, in(ns, policies))
	// The cache does not know that policy; a refusal would rest on what the API server itself says.
	apply(t, in(ns, strings.ReplaceAll(route, "whoami-route", "other-route")))
	cluster.Eventually(t, covered("True"))
}
