// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"slices"
	"strconv"

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

// Grants render the ReferenceGrants that let routes of another namespace refer to an ingress companion: one, or as many as it takes to
// name all Services. They are named, since a grant that names none would open the whole namespace. Grants does not modify its arguments.
func Grants(ingress mesh.Ingress, from RoutesFrom) []*gatewayv1beta1.ReferenceGrant {
	var grants []*gatewayv1beta1.ReferenceGrant
	for services := range slices.Chunk(from.Services, maxGrantTargets) {
		name := mesh.GrantName(ingress.ID, from.Namespace)
		if n := len(grants); n > 0 {
			// A dot, which the name of a namespace cannot have: it is not the grant of another one.
			name += "." + strconv.Itoa(n+1)
		}
		grants = append(grants, grant(ofIngress(ingress, Input{}).objectMeta(name), from, services))
	}
	return grants
}

func grant(meta metav1.ObjectMeta, from RoutesFrom, services []string) *gatewayv1beta1.ReferenceGrant {
	grant := &gatewayv1beta1.ReferenceGrant{
		// v1beta1, because Gateway API serves v1 only since 1.5.
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1beta1.GroupVersion.String(), Kind: "ReferenceGrant"},
		ObjectMeta: meta,
	}
	for _, kind := range from.Kinds {
		grant.Spec.From = append(grant.Spec.From, gatewayv1.ReferenceGrantFrom{
			Group: gatewayv1.GroupName, Kind: gatewayv1.Kind(kind), Namespace: gatewayv1.Namespace(from.Namespace),
		})
	}
	for _, service := range services {
		grant.Spec.To = append(grant.Spec.To, gatewayv1.ReferenceGrantTo{
			Group: corev1.GroupName, Kind: "Service", Name: new(gatewayv1.ObjectName(service)),
		})
	}
	return grant
}
