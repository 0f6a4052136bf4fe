// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
	"github.com/daprise/daprise/test/model"
)

// TestAdoptedMeanTheSame sends requests through routes that were written by hand as invocations, and through what daprise makes of them: on every
// implementation of the gateway a request that reached the app before reaches it as before. What was written so that it reaches no app (without
// the slash that Dapr needs, say) may begin to work.
func TestAdoptedMeanTheSame(t *testing.T) {
	for _, prefix := range []string{"/", "/p", "/p/"} {
		for _, rest := range []string{"//", "/", "", "/q", "/q/", "/q//", "/q///", "//q", "/p", "/p/", "/p//", "/q/r//"} {
			for _, kind := range []string{"ReplacePrefixMatch", "ReplaceFullPath"} {
				t.Run(fmt.Sprintf("%s %s %s", prefix, kind, rest), func(t *testing.T) {
					for _, implementation := range []string{"cilium", "traefik"} {
						checkAdopted(t, handWritten(t, prefix, kind, rest), worldView(implementation, mesh.InvokePrefix))
					}
				})
			}
		}
	}
}

func handWritten(t *testing.T, prefix, kind, rest string) []byte {
	t.Helper()
	field := map[string]string{"ReplacePrefixMatch": "replacePrefixMatch", "ReplaceFullPath": "replaceFullPath"}[kind]
	return encoded(t, map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": "r", "namespace": "default"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "default-gateway"}},
			"rules": []any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": prefix}}},
				"filters":     []any{pathFilter(kind, field, "/v1.0/invoke/whoami.default/method"+rest)},
				"backendRefs": []any{map[string]any{"group": "", "kind": "Service", "name": "ingress-dapr", "port": 3500, "weight": 1}},
			}},
		},
	})
}

func checkAdopted(t *testing.T, written []byte, view *mesh.View) {
	t.Helper()
	out, findings := admit(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: written}, view)
	if out == nil {
		t.Fatalf("refused: %v", findings)
	}
	before, after := httpRoute(t, written), httpRoute(t, out)
	arrivals := 0
	for _, implementation := range implementationsOf(view) {
		gateway := func(route *gatewayv1.HTTPRoute) deliverer {
			return model.Gateway{Implementation: implementation, Routes: []*gatewayv1.HTTPRoute{route}}
		}
		for _, r := range requestsFor(before) {
			if spoofs(r.Header) || healthCheck(after, r) {
				continue
			}
			want := through(gateway(before), view, r)
			if !arrives(want) {
				continue
			}
			arrivals++
			if got := through(gateway(after), view, r); !cmp.Equal(want, got) {
				t.Errorf("%s, %s %s (-by hand +adopted):\n%s\n%s", implementation, r.Method, r.Path, cmp.Diff(want, got), out)
				return
			}
		}
	}
	if arrivals == 0 {
		t.Log("no request reaches the app by the rule as it was written")
	}
}

// spoofs says whether a client names target or caller itself, which a rule written by hand lets through.
func spoofs(header http.Header) bool { return header.Get("Dapr-App-Id") != "" }

// arrives says whether a request reaches an app rather than being answered on the way.
func arrives(ends map[string]int64) bool {
	for data := range ends {
		var e end
		if json.Unmarshal([]byte(data), &e) != nil || e.Status != 0 {
			return false
		}
	}
	return len(ends) > 0
}
