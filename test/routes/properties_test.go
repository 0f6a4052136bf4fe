// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// TestGeneratedHTTPRoutes draws routes and holds what becomes of them against what must be true of every outcome.
func TestGeneratedHTTPRoutes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		view := worldView(
			rapid.SampledFrom([]string{"cilium", "cilium", "traefik"}).Draw(r, "implementation"),
			rapid.SampledFrom([]mesh.Invoke{mesh.InvokePrefix, mesh.InvokeHeader}).Draw(r, "invoke"),
		)
		checkHTTPRoute(r, anyHTTPRoute(r), view)
	})
}

// committedSeeds are drawn again in every run, beside those that each run draws anew.
const committedSeeds = 100

// TestCommittedSeeds is TestGeneratedHTTPRoutes and TestGeneratedGRPCRoutes for the same routes each time.
func TestCommittedSeeds(t *testing.T) {
	for seed := range committedSeeds {
		http, grpc := rapid.Custom(anyHTTPRoute).Example(seed), rapid.Custom(anyGRPCRoute).Example(seed)
		for _, implementation := range []string{"cilium", "traefik"} {
			for _, invoke := range []mesh.Invoke{mesh.InvokePrefix, mesh.InvokeHeader} {
				checkHTTPRoute(t, http, worldView(implementation, invoke))
			}
			checkGRPCRoute(t, grpc, worldView(implementation, mesh.InvokePrefix))
		}
	}
}

// checkHTTPRoute holds what becomes of an HTTPRoute against what must be true of every outcome.
func checkHTTPRoute(t tester, in []byte, view *mesh.View) {
	t.Helper()
	out, findings := admit(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	if out == nil {
		checkRefusals(t, findings)
		return
	}
	checkProperties(t, subject{kind: mesh.KindHTTPRoute, in: in, out: out, view: view})
	original := httpRoute(t, in)
	checkMeaning(t, original, httpRoute(t, out), view, requestsFor(original))
}

// checkGRPCRoute is checkHTTPRoute for GRPCRoutes.
func checkGRPCRoute(t tester, in []byte, view *mesh.View) {
	t.Helper()
	out, findings := admit(t, mutate.Request{Kind: mesh.KindGRPCRoute, Object: in}, view)
	if out == nil {
		checkRefusals(t, findings)
		return
	}
	checkProperties(t, subject{kind: mesh.KindGRPCRoute, in: in, out: out, view: view})
	original := grpcRoute(t, in)
	checkGRPCMeaning(t, original, grpcRoute(t, out), view, callsFor(original))
}

// TestGeneratedGRPCRoutes is TestGeneratedHTTPRoutes for GRPCRoutes.
func TestGeneratedGRPCRoutes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		view := worldView(rapid.SampledFrom([]string{"cilium", "traefik"}).Draw(r, "implementation"), mesh.InvokePrefix)
		checkGRPCRoute(r, anyGRPCRoute(r), view)
	})
}

// subject is a route that was admitted.
type subject struct {
	kind    string
	in, out []byte
	view    *mesh.View
}

// checkRefusals wants every refusal to say what, where and what to do.
func checkRefusals(t tester, findings []mesh.Finding) {
	t.Helper()
	for _, f := range findings {
		if f.Code == "" || f.Message == "" || f.Field == "" || f.Fix == "" {
			t.Errorf("a refusal lacks a part: %+v", f)
		}
	}
}

// checkProperties holds an outcome against what must be true of every outcome: it is idempotent, gives the original back, is the same
// after another apply of the original, and takes an edit of one rule as new input without touching the others.
func checkProperties(t tester, s subject) {
	t.Helper()
	again, findings := admit(t, mutate.Request{Kind: s.kind, Object: s.out, OldObject: s.out}, s.view)
	if again == nil || !cmp.Equal(tree(t, again), tree(t, s.out)) {
		t.Errorf("not idempotent: %v\n%s", findings, cmp.Diff(tree(t, s.out), tree(t, again)))
	}
	back, findings := admit(t, mutate.Request{Kind: s.kind, Object: s.out, OldObject: s.out}, left(s.view))
	if back == nil || !cmp.Equal(tree(t, back), tree(t, s.in)) {
		t.Errorf("not reversible: %v\n%s", findings, cmp.Diff(tree(t, s.in), tree(t, back)))
	}
	// A client that applies its manifest again sends its own rules and leaves annotations alone that it does not know.
	reapplied := tree(t, s.in)
	if annotations, ok := metadataOf(t, s.out)["annotations"]; ok {
		reapplied["metadata"].(map[string]any)["annotations"] = annotations
	}
	again, findings = admit(t, mutate.Request{Kind: s.kind, Object: encoded(t, reapplied), OldObject: s.out}, s.view)
	if again == nil || !cmp.Equal(tree(t, again), tree(t, s.out)) {
		t.Errorf("not stable under another apply: %v\n%s", findings, cmp.Diff(tree(t, s.out), tree(t, again)))
	}
	checkEdits(t, s)
}

// checkEdits changes each rule in turn as kubectl edit would.
func checkEdits(t tester, s subject) {
	t.Helper()
	field, value := "timeouts", map[string]any{"request": "7s"}
	if s.kind == mesh.KindGRPCRoute {
		field, value = "sessionPersistence", map[string]any{"sessionName": "s"}
	}
	before := rulesOf(t, s.out)
	for i := range before {
		edited := tree(t, s.out)
		rule := maps.Clone(before[i].(map[string]any))
		rule[field] = value
		edited["spec"].(map[string]any)["rules"].([]any)[i] = rule
		stored, findings := admit(t, mutate.Request{Kind: s.kind, Object: encoded(t, edited), OldObject: s.out}, s.view)
		if stored == nil {
			t.Errorf("an edit of rule %d is refused: %v", i, findings)
			continue
		}
		after := rulesOf(t, stored)
		if len(after) != len(before) {
			t.Errorf("%d rules became %d", len(before), len(after))
			continue
		}
		for j := range after {
			if j != i && !cmp.Equal(after[j], before[j]) {
				t.Errorf("rule %d changed (-before +after):\n%s", j, cmp.Diff(before[j], after[j]))
			}
		}
		if got := after[i].(map[string]any)[field]; !cmp.Equal(got, any(value)) {
			t.Errorf("the edit of rule %d is lost: %v", i, after[i])
		}
	}
}

// left is a View whose apps and Gateways are enrolled no more, and whose companions are still there.
func left(view *mesh.View) *mesh.View {
	gone := *view
	gone.Apps, gone.Ingresses = nil, nil
	for _, a := range view.Apps {
		gone.CompanionServices = append(gone.CompanionServices, mesh.Name{Namespace: a.Namespace, Name: mesh.CompanionName(a.ID)})
	}
	for _, g := range view.Ingresses {
		gone.CompanionServices = append(gone.CompanionServices, mesh.Name{Namespace: g.Namespace, Name: mesh.CompanionName(g.ID)})
		for _, a := range view.Apps {
			gone.CompanionServices = append(gone.CompanionServices, mesh.Name{Namespace: g.Namespace, Name: mesh.SplitServiceName(g.AppRef, a.AppRef)})
		}
	}
	return &gone
}

func rulesOf(t tester, object []byte) []any {
	t.Helper()
	rules, _ := tree(t, object)["spec"].(map[string]any)["rules"].([]any)
	return rules
}

func metadataOf(t tester, object []byte) map[string]any {
	t.Helper()
	var o struct {
		Metadata map[string]any `json:"metadata"`
	}
	if err := json.Unmarshal(object, &o); err != nil {
		t.Fatal(err)
	}
	return o.Metadata
}
