// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slimv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// isolating closes an app's companion to all but the app's own pods on the Dapr API.
func isolating(ns, id string) *ciliumv2.CiliumNetworkPolicy {
	selector := func(key, value string) api.EndpointSelector {
		return api.NewESFromK8sLabelSelector("", &slimv1.LabelSelector{MatchLabels: map[string]slimv1.MatchLabelsValue{key: value}})
	}
	return &ciliumv2.CiliumNetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: id},
		Spec: &api.Rule{
			EndpointSelector: selector(mesh.LabelCompanion, id),
			Ingress: []api.IngressRule{{
				IngressCommonRule: api.IngressCommonRule{FromEndpoints: []api.EndpointSelector{selector("app", id)}},
				ToPorts: api.PortRules{{Ports: []api.PortProtocol{
					{Port: "3500", Protocol: api.ProtoTCP}, {Port: "50001", Protocol: api.ProtoTCP},
				}}},
			}},
		},
	}
}
