// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// TestAnswersAreWhatIsFoundAnew: one World that remembers finds of every route, in whatever order they come and whatever routes there are
// beside, what a World that remembers nothing finds.
func TestAnswersAreWhatIsFoundAnew(t *testing.T) {
	closedToGateway := strings.Replace(allowIngress, "fromEntities: [ingress]", "fromEntities: [none]", 1)
	sets := map[string]*policy.Set{
		"covered": sets(t, allowWhoami, allowIngress), "open": sets(t), "cut": sets(t, quarantine, allowIngress), "closed": sets(t, allowWhoami, closedToGateway),
		"caller": sets(t, allowIngress, strings.Replace(allowWhoami, "dapr.io/app-id: ingress", "dapr.io/app-id: nobody", 1)),
	}
	objects := map[string][]byte{}
	for form, text := range map[string]string{"rewritten": rewrittenRoute, "header": headerRoute, "divided": dividedRoute, "direct": directRoute} {
		for _, name := range []string{"whoami-route", "whoami-route0", "whoami-route1"} {
			objects[form+" "+name] = jsonOf(t, strings.Replace(text, "name: whoami-route", "name: "+name, 1))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		set := sets[rapid.SampledFrom([]string{"covered", "open", "cut", "closed", "caller"}).Draw(t, "policies")]
		view := routeView()
		apps := []mesh.AppRef{{Namespace: "default", ID: "whoami"}, {Namespace: "shop", ID: "cart"}}
		ingresses := []mesh.AppRef{{Namespace: "default", ID: "ingress"}, {Namespace: "default", ID: "leaving"}}
		for i := range rapid.IntRange(0, 4).Draw(t, "routes") {
			view.Routes = append(view.Routes, mesh.RouteTarget{
				Route:   mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: mesh.KindHTTPRoute, Namespace: "default", Name: fmt.Sprintf("whoami-route%d", i)},
				Ingress: rapid.SampledFrom(ingresses).Draw(t, "ingress"), App: rapid.SampledFrom(apps).Draw(t, "app"),
			})
		}
		remembering := policy.World{View: view, Set: set, Answers: policy.NewAnswers()}
		for range 4 {
			name := rapid.SampledFrom([]string{"whoami-route", "whoami-route0", "whoami-route1"}).Draw(t, "route")
			form := rapid.SampledFrom([]string{"rewritten", "header", "divided", "direct"}).Draw(t, "form")
			write := validate.RouteWrite{Kind: mesh.KindHTTPRoute, Object: objects[form+" "+name]}
			want, err := validate.Route(policy.World{View: view, Set: set}, write)
			if err != nil {
				t.Fatal(err)
			}
			got, err := validate.Route(remembering, write)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-anew +remembered):\n%s", name, diff)
			}
		}
	})
}
