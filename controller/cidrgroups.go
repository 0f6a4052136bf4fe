// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// earlierGroup is the only version of CiliumCIDRGroup up to Cilium 1.17, with the fields of cilium.io/v2 (cilium/cilium#38940).
func earlierGroup() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: ciliumv2.SchemeGroupVersion.Group, Version: "v2alpha1", Kind: "CiliumCIDRGroup"}
}

// cidrGroups are the groups of addresses there are. Where neither version is served there are none, and a rule that names one means nobody.
func cidrGroups(ctx context.Context, d door) ([]*ciliumv2.CiliumCIDRGroup, error) {
	groups, served, err := list[*ciliumv2.CiliumCIDRGroup](ctx, d, kindCIDRGroup, scope{})
	if err != nil || served {
		return groups, err
	}
	earlier, _, err := list[*unstructured.Unstructured](ctx, d, kindEarlierGroup, scope{})
	if err != nil {
		return nil, err
	}
	for _, e := range earlier {
		group := &ciliumv2.CiliumCIDRGroup{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(e.Object, group); err != nil {
			return nil, fmt.Errorf("read CiliumCIDRGroup %s: %w", e.GetName(), err)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// superseded says that a kind need not be watched since its objects are served in a later version, too.
func superseded(k kind, served map[schema.GroupVersionKind]bool) bool {
	return k == kindEarlierGroup && served[ciliumv2.SchemeGroupVersion.WithKind("CiliumCIDRGroup")]
}
