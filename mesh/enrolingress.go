// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ingress resolves an enrolled Gateway. Whether a GRPCRoute needs its gRPC port is known where routes are.
func (r *resolver) ingress(g *gatewayv1.Gateway) (claim, bool) {
	m, ok := r.read(objectOfGateway(g), g)
	if !ok {
		return claim{}, false
	}
	id, ok := r.id(m, g.Name+"-ingress")
	if !ok {
		return claim{}, false
	}
	ingress := Ingress{
		AppRef:        AppRef{Namespace: g.Namespace, ID: id},
		Owner:         Owner{Object: m.object, UID: g.UID},
		Gateway:       g.Name,
		LocalRedirect: m.values[AnnotationLocalRedirect] == "true",
		Invoke:        Invoke(cmp.Or(m.values[AnnotationInvoke], string(r.config.Defaults.Invoke))),
		Dapr:          dapr(m.values),
	}
	ingress.Strategy, ingress.Replicas = r.spread(m.values, KindGateway)
	return claim{ingress: &ingress, members: []member{m}}, true
}
