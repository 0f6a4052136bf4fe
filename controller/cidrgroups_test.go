// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestGroupsOfAnEarlierVersion: where the API server serves CiliumCIDRGroups of v2alpha1 alone, up to Cilium 1.17, those are read.
func TestGroupsOfAnEarlierVersion(t *testing.T) {
	earlier := untyped(earlierGroup())
	earlier.SetName("offices")
	earlier.SetLabels(map[string]string{"site": "a"})
	earlier.Object["spec"] = map[string]any{"externalCIDRs": []any{"192.0.2.0/24"}}
	c := builder(t, earlier).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, ok := list.(*ciliumv2.CiliumCIDRGroupList); ok {
				return &meta.NoKindMatchError{GroupKind: earlierGroup().GroupKind(), SearchedVersions: []string{"v2"}}
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	groups, err := cidrGroups(t.Context(), door{live: c, kinds: kindsWatched()})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups) != 1 || groups[0].Name != "offices" || groups[0].Labels["site"] != "a" {
		t.Fatalf("groups are %+v", groups)
	}
	if diff := cmp.Diff([]api.CIDR{"192.0.2.0/24"}, groups[0].Spec.ExternalCIDRs); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestTheLaterVersionIsWatchedAlone(t *testing.T) {
	later := map[schema.GroupVersionKind]bool{ciliumv2.SchemeGroupVersion.WithKind("CiliumCIDRGroup"): true}
	if !superseded(kindEarlierGroup, later) || superseded(kindEarlierGroup, nil) || superseded(kindCIDRGroup, later) {
		t.Error("v2alpha1 is for where v2 is not served, and nothing else is")
	}
}
