// SPDX-License-Identifier: Apache-2.0

package companion

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

// maxGrantTargets is how many Services one ReferenceGrant can name (Gateway API, ReferenceGrantSpec.To).
const maxGrantTargets = 16

// RoutesFrom are the routes of one namespace that reach an ingress companion in another.
type RoutesFrom struct {
	Namespace string
	// Kinds of the routes, sorted: "GRPCRoute", "HTTPRoute".
	Kinds []string
	// Services in front of the companion that the routes refer to, the companion's own first.
	Services []string
}

// Grant renders the ReferenceGrant that lets routes of another namespace refer to an ingress companion. It names the Services: one that
// names none would open the whole namespace. Of more Services than a grant can name the first ones are named. It does not modify its
// arguments.
func Grant(ingress mesh.Ingress, from RoutesFrom) *gatewayv1beta1.ReferenceGrant {
	grant := &gatewayv1beta1.ReferenceGrant{
		// v1beta1, because Gateway API serves v1 only since 1.5.
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1beta1.GroupVersion.String(), Kind: "ReferenceGrant"},
		ObjectMeta: ofIngress(ingress, Input{}).objectMeta(mesh.GrantName(ingress.ID, from.Namespace)),
	}
	for _, kind := range from.Kinds {
		grant.Spec.From = append(grant.Spec.From, gatewayv1.ReferenceGrantFrom{
			Group: gatewayv1.GroupName, Kind: gatewayv1.Kind(kind), Namespace: gatewayv1.Namespace(from.Namespace),
		})
	}
	for _, service := range from.Services[:min(len(from.Services), maxGrantTargets)] {
		grant.Spec.To = append(grant.Spec.To, gatewayv1.ReferenceGrantTo{
			Group: corev1.GroupName, Kind: "Service", Name: new(gatewayv1.ObjectName(service)),
		})
	}
	return grant
}
