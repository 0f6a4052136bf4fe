// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Kinds that are decided about.
const (
	kindService       = "Service"
	kindDeployment    = "Deployment"
	kindGateway       = "Gateway"
	kindHTTPRoute     = "HTTPRoute"
	kindGRPCRoute     = "GRPCRoute"
	kindCNP           = policy.KindCNP
	kindCCNP          = policy.KindCCNP
	kindNetworkPolicy = policy.KindKNP
	kindNamespace     = "Namespace"
)

// key finds the decision for a request.
type key struct {
	phase           phase
	group, resource string
	operation       admissionv1.Operation
}

func keyOf(p phase, request *admissionv1.AdmissionRequest) key {
	return key{phase: p, group: request.Resource.Group, resource: request.Resource.Resource, operation: request.Operation}
}

// decider is how one kind of request is decided. Its functions are pure and fail only on what they cannot decode (errUndecodable) or by
// a bug; they modify nothing.
type decider struct {
	// version of the API in which the hook asks for objects; the API server converts others to it (matchPolicy Equivalent).
	version string
	// need says what has to be loaded.
	need func(*call) (mesh.Need, error)
	// decide takes the decision. Its findings have their severity by mode.
	decide func(*call, policy.World) (verdict, error)
	// open says that cached data admits but may lack what would decide otherwise; nil if it never does.
	open func(*admissionv1.AdmissionRequest, mesh.Need, policy.World) bool
	// unseen says that what may be lacking is an enrolment (Worlds.Unseen): without one nothing is open.
	unseen bool
	// lenient says that denials, once confirmed by a live read, are left for validation to tell.
	lenient bool
}

// call is a request and what was read of it to tell what has to be loaded.
type call struct {
	*admissionv1.AdmissionRequest
	// route is the new object of a write of a route.
	route *mesh.RouteObject
}

// dispatchTable has an entry for everything that the hooks ask for (webhook/hooks) and for nothing else.
func dispatchTable() map[key]decider {
	const core, apps, networking = "", "apps", "networking.k8s.io"
	const gateway, cilium = "gateway.networking.k8s.io", "cilium.io"
	change := []admissionv1.Operation{admissionv1.Create, admissionv1.Update}
	all := []admissionv1.Operation{admissionv1.Create, admissionv1.Update, admissionv1.Delete}
	table := map[key]decider{}
	add := func(p phase, group, resource string, operations []admissionv1.Operation, d decider) {
		for _, operation := range operations {
			table[key{p, group, resource, operation}] = d
		}
	}
	for _, r := range []struct{ group, resource, kind string }{
		{core, "services", kindService}, {apps, "deployments", kindDeployment}, {gateway, "gateways", kindGateway},
	} {
		add(phaseMutate, r.group, r.resource, change, mutateEnrolment(r.kind))
		add(phaseValidate, r.group, r.resource, change, validateEnrolment(r.kind))
	}
	for _, r := range []struct{ resource, kind string }{{"httproutes", kindHTTPRoute}, {"grpcroutes", kindGRPCRoute}} {
		add(phaseMutate, gateway, r.resource, change, mutateRoute(r.kind))
		add(phaseValidate, gateway, r.resource, change, validateRoute(r.kind))
	}
	add(phaseValidate, cilium, "ciliumnetworkpolicies", all, validatePolicy("v2", compileCNP))
	add(phaseValidate, cilium, "ciliumclusterwidenetworkpolicies", all, validatePolicy("v2", compileCCNP))
	add(phaseValidate, networking, "networkpolicies", all, validatePolicy("v1", compileKNP))
	add(phaseValidate, core, "namespaces", []admissionv1.Operation{admissionv1.Update}, validateNamespace())
	return table
}
