// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// TestLoadLooksElsewhereForSuspects: an app ID that a policy names and that almost is one of the namespaces concerned is looked for in all
// others.
func TestLoadLooksElsewhereForSuspects(t *testing.T) {
	selecting := func(id string) client.Object {
		return &ciliumv2.CiliumNetworkPolicy{ObjectMeta: objectMeta("shop", "for-"+id), Spec: &api.Rule{
			EndpointSelector: api.EndpointSelector{LabelSelector: &slim_metav1.LabelSelector{MatchLabels: map[string]string{mesh.AnnotationAppID: id}}},
			Ingress:          []api.IngressRule{{}},
		}}
	}
	for _, tt := range []struct {
		name   string
		others []client.Object
		need   mesh.Need
		want   []string
	}{
		{name: "nobody has it", others: []client.Object{selecting("whoamy")}},
		{name: "a Service has it", others: []client.Object{selecting("whoamy"), admitted(service("other", "x"), "whoamy")}, want: []string{"whoamy"}},
		{name: "a Gateway has it", others: []client.Object{selecting("whoamy"), admitted(gateway("other", "x"), "whoamy")}, want: []string{"whoamy"}},
		{name: "far from every app's here", others: []client.Object{selecting("unrelated")}},
		{name: "all namespaces are known", others: []client.Object{selecting("whoamy"), admitted(service("other", "x"), "whoamy")}, need: mesh.Need{AllNamespaces: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			need := tt.need
			if !need.AllNamespaces {
				need.Namespaces = []string{"shop"}
			}
			view := load(t, builder(t, append(objects(), tt.others...)...).Build(), need)
			if diff := cmp.Diff(tt.want, view.Elsewhere); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
