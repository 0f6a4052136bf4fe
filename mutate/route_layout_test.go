// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// TestRouteLayout wants the outcome, with its record and revision, to depend on what the JSON of a route says and not on how it is laid
// out: the order of keys, spaces, and characters written as escapes.
func TestRouteLayout(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		view := worldView(rapid.SampledFrom([]mesh.Invoke{mesh.InvokePrefix, mesh.InvokeHeader}).Draw(r, "invoke"))
		in := anyRoute(r)
		out := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
		other := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: laidOut(tree(r, in), rapid.Uint64().Draw(r, "layout"))}, view)
		if diff := cmp.Diff(tree(r, out), tree(r, other)); diff != "" {
			r.Fatalf("another layout, another outcome (-sorted +laid out):\n%s", diff)
		}
		stored := laidOut(tree(r, out), rapid.Uint64().Draw(r, "stored layout"))
		if again := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: stored, OldObject: stored}, view); !equal(r, again, out) {
			r.Fatalf("not idempotent in another layout (-once +twice):\n%s", cmp.Diff(tree(r, out), tree(r, again)))
		}
	})
}

// TestRouteGoldenLayout is TestRouteLayout over the goldens.
func TestRouteGoldenLayout(t *testing.T) {
	const layouts = 5
	for _, c := range routeCases(t) {
		t.Run(filepath.Base(c.folder), func(t *testing.T) {
			want, err := mutate.Route(c.request, c.view)
			if err != nil {
				t.Fatal(err)
			}
			out := applied(t, c.request.Object, want)
			for seed := range uint64(layouts) {
				// An update that changes nothing is known by its bytes, so old and new are laid out alike.
				request := mutate.Request{Kind: c.request.Kind, Object: laidOut(tree(t, c.request.Object), seed)}
				if c.request.OldObject != nil {
					request.OldObject = laidOut(tree(t, c.request.OldObject), seed)
				}
				got, err := mutate.Route(request, c.view)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(texts(want.Findings), texts(got.Findings)); diff != "" {
					t.Errorf("findings (-sorted +laid out):\n%s", diff)
				}
				if got := applied(t, request.Object, got); !equal(t, out, got) {
					t.Errorf("outcome (-sorted +laid out):\n%s", cmp.Diff(tree(t, out), tree(t, got)))
				}
			}
		})
	}
}

// laidOut writes JSON in an order, with spaces and with escapes that a seed decides.
func laidOut(node any, seed uint64) []byte {
	next := func(n uint64) uint64 {
		seed = seed*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
		return (seed >> 33) % n
	}
	return []byte(layOut(node, next))
}

func layOut(node any, next func(uint64) uint64) string {
	space := strings.Repeat(" ", int(next(2))) + strings.Repeat("\n", int(next(2)))
	var parts []string
	switch node := node.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(node))
		for i := range keys {
			j := int(next(uint64(len(keys))))
			keys[i], keys[j] = keys[j], keys[i]
		}
		for _, key := range keys {
			parts = append(parts, layOut(key, next)+":"+layOut(node[key], next))
		}
		return space + "{" + strings.Join(parts, ",") + space + "}" + space
	case []any:
		for _, element := range node {
			parts = append(parts, layOut(element, next))
		}
		return space + "[" + strings.Join(parts, ",") + space + "]" + space
	case string:
		return space + `"` + escaped(node, next) + `"` + space
	case json.Number:
		return space + node.String() + space
	case bool:
		return space + fmt.Sprint(node) + space
	}
	return space + "null" + space
}

// escaped writes some characters, and all that need it, as escapes.
func escaped(s string, next func(uint64) uint64) string {
	var b strings.Builder
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || c < 0x80 && next(50) == 0 {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// TestEncodePatch wants every golden's patch, and odd ones, encoded to what encoding/json makes of them.
func TestEncodePatch(t *testing.T) {
	patches := [][]jsonpatch.Operation{
		nil,
		{jsonpatch.NewOperation("remove", "/metadata/annotations/a~1b", nil)},
		{jsonpatch.NewOperation("add", "/a", nil), jsonpatch.NewOperation("replace", "/b", nil)},
		{
			jsonpatch.NewOperation("add", "/\"<é\x01>", map[string]any{"a": []any{"<&>", int64(-1), 1.5, true, nil}, "": json.Number("1e3")}),
			jsonpatch.NewOperation("add", "/c", []json.RawMessage{json.RawMessage(`{"z":1,"a":[ ]}`), json.RawMessage(`null`)}),
			jsonpatch.NewOperation("add", "/d", map[string]string{"a": "b"}),
		},
	}
	for _, c := range routeCases(t) {
		result, err := mutate.Route(c.request, c.view)
		if err != nil {
			t.Fatal(err)
		}
		patches = append(patches, result.Patch)
	}
	for _, patch := range patches {
		got, err := mutate.EncodePatch(patch)
		if err != nil {
			t.Fatal(err)
		}
		want := "[]"
		if patch != nil {
			want = string(marshal(t, patch))
		}
		decode := func(data string) (operations []any) {
			if err := json.Unmarshal([]byte(data), &operations); err != nil {
				t.Fatalf("%v: %s", err, data)
			}
			return operations
		}
		if diff := cmp.Diff(decode(want), decode(string(got))); diff != "" {
			t.Errorf("(-encoding/json +got):\n%s", diff)
		}
	}
}
