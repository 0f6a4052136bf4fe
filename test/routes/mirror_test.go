// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/model"
)

// TestMirroredCopies wants the copies that a rule of the mesh mirrors to be what they are without the mesh, but for one header: that by
// which the rule names its app, which gateways copy with everything else. None of Dapr's headers that a client sends is among them.
func TestMirroredCopies(t *testing.T) {
	g := readGolden(t, "../../mutate/testdata/route/mirror-to-plain")
	original, rewritten := httpRoute(t, g.in), httpRoute(t, g.out)
	for _, implementation := range model.Implementations() {
		t.Run(string(implementation), func(t *testing.T) {
			copies := 0
			for _, r := range requestsFor(original) {
				want, got := mirrored(implementation, original, r), mirrored(implementation, rewritten, r)
				for i := range want {
					want[i].Request.Header = withoutDapr(want[i].Request.Header)
					want[i].Request.Header[http.CanonicalHeaderKey(mesh.HeaderAppID)] = []string{"whoami.default"}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s (-without the mesh, and the header +with it):\n%s", r.Path, diff)
				}
				copies += len(got)
			}
			if copies == 0 {
				t.Error("nothing was mirrored")
			}
		})
	}
}

func mirrored(implementation model.Implementation, route *gatewayv1.HTTPRoute, r model.Request) []model.Delivery {
	var copies []model.Delivery
	for _, d := range (model.Gateway{Implementation: implementation, Routes: []*gatewayv1.HTTPRoute{route}}).Deliver(r) {
		if d.Mirror {
			copies = append(copies, d)
		}
	}
	return copies
}
