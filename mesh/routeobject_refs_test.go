// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	kjson "sigs.k8s.io/json"

	"github.com/daprise/daprise/mesh"
)

// aReference draws the JSON of a reference with any of its fields, of any type.
func aReference(t *rapid.T) string {
	names := []string{"group", "kind", "namespace", "name", "sectionName", "port", "weight", "filters", "Name", "else"}
	values := []string{
		`""`, `"a"`, `"\u0061\n"`, `"ü"`, `null`, `0`, `1`, `-1`, `00`, `80`, `65535`, `2147483647`, `2147483648`, `1.0`, `1e3`, `true`, `[]`, `{}`,
		`[{"type": "RequestHeaderModifier"}]`,
	}
	var fields []string
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, len(names), func(name string) string { return name }).Draw(t, "fields") {
		fields = append(fields, fmt.Sprintf(" %q : %s ", name, rapid.SampledFrom(values).Draw(t, name)))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// TestReferencesAreReadAsTheAPIServerReadsThem: whatever a route's references hold, ReadRoute finds in them what the API server's decoder
// does, and fails where that fails.
func TestReferencesAreReadAsTheAPIServerReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := func(name string) string {
			elements := rapid.SliceOfN(rapid.OneOf(rapid.Custom(aReference), rapid.SampledFrom([]string{"null", "{}", `1`})), 0, 3).Draw(t, name)
			return rapid.SampledFrom([]string{"[" + strings.Join(elements, " , ") + "]", "null", "{}"}).Draw(t, name+"?")
		}
		spec := fmt.Sprintf(`{"parentRefs": %s, "rules": [{"backendRefs": %s}]}`, list("parents"), list("backends"))
		if !json.Valid([]byte(spec)) {
			t.Skip("the API server refuses it before anyone reads it")
		}
		var want gatewayv1.HTTPRouteSpec
		wrong := kjson.UnmarshalCaseSensitivePreserveInts([]byte(spec), &want)
		got, err := mesh.ReadRoute([]byte(`{"spec": ` + spec + `}`))
		if (err != nil) != (wrong != nil) {
			t.Fatalf("%s: error %v, want %v", spec, err, wrong)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want.ParentRefs, got.ParentRefs, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: parents (-want +got):\n%s", spec, diff)
		}
		if diff := cmp.Diff(want.Rules[0].BackendRefs, got.Rules[0].BackendRefs, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: backends (-want +got):\n%s", spec, diff)
		}
	})
}
