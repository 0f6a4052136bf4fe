// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// TestRouteOdd puts odd values into the goldens' routes, rewritten and not, until they are no routes any more: no panic, no error on
// what the types allow that a second mutation would not give too, and what is admitted is admitted again without a change.
func TestRouteOdd(t *testing.T) {
	var seeds [][]byte
	for _, c := range routeCases(t) {
		seeds = append(seeds, c.request.Object)
		if result, err := mutate.Route(c.request, c.view); err == nil && !mesh.Denied(result.Findings) {
			seeds = append(seeds, applied(t, c.request.Object, result))
		}
	}
	view := worldView(mesh.InvokePrefix)
	rapid.Check(t, func(r *rapid.T) {
		var object any = tree(r, rapid.SampledFrom(seeds).Draw(r, "seed"))
		other := tree(r, rapid.SampledFrom(seeds).Draw(r, "other"))
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			object = odd(r, object, other)
		}
		data := marshal(r, object)
		result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: data}, view)
		if err != nil || mesh.Denied(result.Findings) {
			return
		}
		stored := applied(r, data, result)
		again, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: stored, OldObject: stored}, view)
		if err != nil {
			r.Fatalf("the outcome cannot be read: %v\n%s", err, stored)
		}
		if len(again.Patch) > 0 {
			patch, _ := json.Marshal(again.Patch)
			r.Fatalf("not idempotent: %s\n%s", patch, stored)
		}
	})
}

// odd replaces a node somewhere in a tree, by an odd value or by one from another tree. It does not modify the tree's strings.
func odd(r *rapid.T, node, other any) any {
	deeper := rapid.IntRange(0, 9).Draw(r, "deeper") > 0
	switch node := node.(type) {
	case map[string]any:
		if len(node) == 0 || !deeper {
			break
		}
		keys := make([]string, 0, len(node))
		for key := range node {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		key := rapid.SampledFrom(keys).Draw(r, "key")
		counterpart, _ := other.(map[string]any)
		node[key] = odd(r, node[key], counterpart[key])
		return node
	case []any:
		if len(node) == 0 || !deeper {
			break
		}
		i := rapid.IntRange(0, len(node)-1).Draw(r, "index")
		counterpart, _ := other.([]any)
		var element any
		if i < len(counterpart) {
			element = counterpart[i]
		}
		node[i] = odd(r, node[i], element)
		if rapid.Bool().Draw(r, "twice") {
			return append(node, node[i])
		}
		return node
	}
	return rapid.SampledFrom([]any{other, nil, "", "/", "Exact", "..", "dapr-app-id", "ingress-dapr", json.Number("3500"), json.Number("-1"), true,
		[]any{}, []any{nil}, map[string]any{}}).Draw(r, "value")
}
