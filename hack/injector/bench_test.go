// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// work is one decision, bytes in to patch out.
type work func(b *testing.B)

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
	return func(b *testing.B) {
		received := &corev1.Pod{}
		if err := json.Unmarshal(raw, received); err != nil {
			b.Fatal(err)
		}
		if patch, err := sidecarOf(received).GetPatch(); err != nil || len(patch) == 0 {
			b.Fatalf("%v, %v", err, patch)
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
	return func(b *testing.B) {
		result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: route}, view)
		if err != nil || len(result.Patch) == 0 {
			b.Fatalf("%v, %v", err, result.Findings)
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

// cost is the processor time of one piece of work, the garbage collector's share included, and its allocations: the best of several
// measurements. Time on the clock would be that of whatever else the machine does.
func cost(tb testing.TB, w work) (best time.Duration, allocations int64) {
	tb.Helper()
	const rounds = 200
	for range 10 {
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for range b.N {
				for range rounds {
					w(b)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/rounds, "cpu-ns")
		})
		if took := time.Duration(r.Extra["cpu-ns"]); best == 0 || took < best {
			best = took
		}
		allocations = r.AllocsPerOp() / rounds
	}
	return best, allocations
}

func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// atMost is how many times the injector's cost a decision about 16 rules of 8 matches may have. The aim is 20; it is some 30 today, most
// of it for decoding each rule twice.
const atMost = 40

// TestCost wants a decision about the example's route to cost no more than Dapr's injector needs for a pod with one container, in time
// and allocations, and holds one about 16 rules of 8 matches to a multiple of that.
func TestCost(t *testing.T) {
	injected, injectedAllocations := cost(t, injection(t))
	seed, seedAllocations := cost(t, rewriting(seedRoute(t)))
	large, _ := cost(t, rewriting(largeRoute(t)))
	t.Logf("Dapr's injector %s and %d allocations, the example's route %s and %d, 16 rules of 8 matches %s", injected, injectedAllocations, seed, seedAllocations, large)
	if seed > injected || seedAllocations > injectedAllocations {
		t.Errorf("the example's route costs %s and %d allocations, Dapr's injector %s and %d", seed, seedAllocations, injected, injectedAllocations)
	}
	if large >= atMost*injected {
		t.Errorf("16 rules of 8 matches cost %s, %.1f times Dapr's injector", large, float64(large)/float64(injected))
	}
}
