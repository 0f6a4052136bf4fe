// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"encoding/json"
	"testing"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// FuzzRoute feeds anything as a route: no panic, and what is JSON and admitted is admitted again without a change.
func FuzzRoute(f *testing.F) {
	for _, c := range routeCases(f) {
		f.Add(c.request.Object, c.request.OldObject)
		if result, err := mutate.Route(c.request, c.view); err == nil && !mesh.Denied(result.Findings) {
			f.Add(applied(f, c.request.Object, result), c.request.Object)
		}
	}
	for _, odd := range []string{``, `null`, `[]`, `{"spec":{"rules":[null]}}`, `{"spec":{"rules":[{"filters":[null],"backendRefs":[null],"matches":[null]}]}}`,
		`{"metadata":{"annotations":{"daprise.dev/original":"{\"version\":1,\"rules\":[{\"original\":null,\"rewritten\":[]}]}"}},"spec":{"rules":[{}]}}`} {
		f.Add([]byte(odd), []byte(nil))
	}
	for _, broken := range []string{`{`, `{"spec"`, `{"spec":`, `{"spec":{"rules":[{"matches":[{"path":{"value":"\`, `{"spec":{"rules":[{"backendRefs":[],"matches":[}]}}`,
		`{"spec":{"rules":[{} {}]}}`, `{"metadata":{}}}`, `{"spec":{"rules":[{"a":]}]}}`, `{"spec":{"rules":{}}}`} {
		f.Add([]byte(broken), []byte(broken))
	}
	view := worldView(mesh.InvokePrefix)
	f.Fuzz(func(t *testing.T, object, old []byte) {
		for _, kind := range []string{mesh.KindHTTPRoute, mesh.KindGRPCRoute} {
			result, err := mutate.Route(mutate.Request{Kind: kind, Object: object, OldObject: old}, view)
			if err != nil || mesh.Denied(result.Findings) || !json.Valid(object) {
				continue
			}
			stored := applied(t, object, result)
			again, err := mutate.Route(mutate.Request{Kind: kind, Object: stored, OldObject: stored}, view)
			if err != nil {
				t.Fatalf("the outcome cannot be read: %v\n%s", err, stored)
			}
			if len(again.Patch) > 0 && len(old) == 0 {
				t.Fatalf("not idempotent: %v\n%s", again.Patch, stored)
			}
		}
	})
}
