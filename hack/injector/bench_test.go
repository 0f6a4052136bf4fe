// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// work is one decision, bytes in to patch out, encoded as the answer to the API server holds it.
type work func(tb testing.TB)

// injection is what Dapr's injector does for a pod with one container.
func injection(tb testing.TB) work {
	tb.Helper()
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "whoami-1", Namespace: "default", Annotations: map[string]string{
			"dapr.io/enabled": "true", "dapr.io/app-id": "whoami", "dapr.io/app-port": "80",
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "traefik/whoami"}}},
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		tb.Fatal(err)
	}
	return func(tb testing.TB) {
		received := &corev1.Pod{}
		if err := json.Unmarshal(raw, received); err != nil {
			tb.Fatal(err)
		}
		patch, err := sidecarOf(received).GetPatch()
		if err != nil || len(patch) == 0 {
			tb.Fatalf("%v, %v", err, patch)
		}
		if _, err := json.Marshal(patch); err != nil {
			tb.Fatal(err)
		}
	}
}

// rewriting is what daprise does for a route, in the world of the whoami example with both companions ready.
func rewriting(route []byte) work {
	ready := mesh.CompanionState{Live: true, Ready: true}
	view := &mesh.View{
		Apps: []mesh.App{{AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"}, Service: "whoami", Port: 80, Protocol: "http", Companion: ready}},
		Ingresses: []mesh.Ingress{{
			AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway", Invoke: mesh.InvokePrefix, Companion: ready,
		}},
	}
	return func(tb testing.TB) {
		result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: route}, view)
		if err != nil || len(result.Patch) == 0 {
			tb.Fatalf("%v, %v", err, result.Findings)
		}
		if _, err := mutate.EncodePatch(result.Patch); err != nil {
			tb.Fatal(err)
		}
	}
}

// seedRoute is the example's route as its author writes it.
func seedRoute(tb testing.TB) []byte {
	tb.Helper()
	data, err := os.ReadFile("../../examples/whoami/05-route.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	if data, err = yaml.YAMLToJSON(data); err != nil {
		tb.Fatal(err)
	}
	return data
}

// largeRoute has 16 rules of 8 matches each: split by paths they would be too many rules.
func largeRoute(tb testing.TB) []byte {
	tb.Helper()
	var rules []any
	for i := range 16 {
		var matches []any
		for j := range 8 {
			matches = append(matches, map[string]any{
				"path":    map[string]any{"type": "PathPrefix", "value": fmt.Sprintf("/api/v%d/things-%d", i, j)},
				"headers": []any{map[string]any{"type": "Exact", "name": "x-kind", "value": fmt.Sprint(j)}},
			})
		}
		rules = append(rules, map[string]any{
			"matches": matches, "backendRefs": []any{map[string]any{"group": "", "kind": "Service", "name": "whoami", "port": 80, "weight": 1}},
		})
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": "large", "namespace": "default"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "default-gateway"}}, "rules": rules,
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// BenchmarkDecision compares the three in one run: go test -run '^$' -bench Decision -count 5 .
func BenchmarkDecision(b *testing.B) {
	for name, w := range map[string]work{
		"dapr-injector": injection(b), "route": rewriting(seedRoute(b)), "route-16-rules-8-matches": rewriting(largeRoute(b)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w(b)
			}
		})
	}
}

// BenchmarkAgainstInjector tells the ratio of the example's route to Dapr's injector, which are measured by turns of 50 decisions each so that what
// else the machine does slows both alike: the median, and what nine turns in ten are between.
func BenchmarkAgainstInjector(b *testing.B) {
	const decisions = 50
	var took [2][]float64
	var ratios []float64
	works := []work{injection(b), rewriting(seedRoute(b))}
	for b.Loop() {
		for i, w := range works {
			began := time.Now()
			for range decisions {
				w(b)
			}
			took[i] = append(took[i], float64(time.Since(began).Microseconds())/decisions)
		}
		last := len(took[0]) - 1
		ratios = append(ratios, took[1][last]/took[0][last])
	}
	at := func(of []float64, share float64) float64 {
		slices.Sort(of)
		return of[int(share*float64(len(of)-1))]
	}
	b.ReportMetric(at(took[0], 0.5), "µs-injector")
	b.ReportMetric(at(took[1], 0.5), "µs-route")
	b.ReportMetric(at(ratios, 0.5), "ratio")
	b.ReportMetric(at(ratios, 0.05), "ratio-least")
	b.ReportMetric(at(ratios, 0.95), "ratio-most")
}

// TestAllocations wants a decision about the example's route to need no more allocations than Dapr's injector for a pod with one container.
// Time is for BenchmarkDecision: it is nothing to fail a test for.
func TestAllocations(t *testing.T) {
	count := func(w work) float64 { return testing.AllocsPerRun(100, func() { w(t) }) }
	injected, route := count(injection(t)), count(rewriting(seedRoute(t)))
	t.Logf("Dapr's injector %.0f allocations, the example's route %.0f", injected, route)
	if route > injected {
		t.Errorf("the example's route needs %.0f allocations, Dapr's injector %.0f", route, injected)
	}
}
