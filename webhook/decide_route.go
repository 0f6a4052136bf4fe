// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/mutate"
	"github.com/daprise/daprise/validate"
)

// mutateRoute decides how a route goes through the companions.
func mutateRoute(kind string) decider {
	return decider{
		version: "v1",
		need:    needOfRoute,
		decide: func(request *call, world policy.World) (verdict, error) {
			v, err := mutated(mutate.Route(mutation(kind, request.AdmissionRequest), world.View))
			return v, misfit(request.AdmissionRequest, err)
		},
		open: routeOpen, unseen: true,
	}
}

// validateRoute decides whether a route, as mutated, is admitted. Mutation has read live what could be open; if the caches are still
// behind it, they refuse, and that is read live again.
func validateRoute(kind string) decider {
	return decider{
		version: "v1",
		need:    needOfRoute,
		decide: func(request *call, world policy.World) (verdict, error) {
			write := validate.RouteWrite{Kind: kind, Object: request.Object.Raw, Read: request.route}
			if !absent(request.OldObject.Raw) {
				write.OldObject = request.OldObject.Raw
			}
			findings, err := validate.Route(world, write)
			if err != nil {
				return verdict{}, fmt.Errorf("validate: %w", misfit(request.AdmissionRequest, err))
			}
			return verdict{findings: validate.ApplyModes(world.View, findings)}, nil
		},
	}
}

func needOfRoute(request *call) (mesh.Need, error) {
	need := mesh.Need{}
	for i, raw := range versions(request.AdmissionRequest) {
		route, err := mesh.ReadRoute(raw)
		if err != nil {
			return mesh.Need{}, fmt.Errorf("decode %s: %w: %w", request.Kind.Kind, errUndecodable, err)
		}
		one := *route
		one.Namespace = request.Namespace
		if i == 0 {
			request.route, need = route, one.Need()
		} else {
			need = need.Union(one.Need())
		}
	}
	return need, nil
}

// misfit tells a route that does not fit its kind from a bug, of an error that a decision gave: decisions read of it what they need.
func misfit(request *admissionv1.AdmissionRequest, err error) error {
	if err == nil {
		return nil
	}
	for _, raw := range versions(request) {
		var misfit error
		if request.Kind.Kind == mesh.KindGRPCRoute {
			_, misfit = decode[gatewayv1.GRPCRoute](raw)
		} else {
			_, misfit = decode[gatewayv1.HTTPRoute](raw)
		}
		if misfit != nil {
			return misfit
		}
	}
	return err
}

// routeOpen says that a route could be in the mesh and would not be seen to be: it attaches to Gateways, and one of them or one of its
// backends is not enrolled as far as the caches know. In a bundle that is applied at once, the route arrives within milliseconds of
// the Gateway and the Service. Most such routes are outside the mesh, in clusters that use it for some of their Gateways nearly all: a look at
// these objects tells.
func routeOpen(_ *admissionv1.AdmissionRequest, need mesh.Need, world policy.World) bool {
	if len(need.Gateways) == 0 {
		return false
	}
	for _, name := range need.Gateways {
		if _, ok := world.View.IngressOfGateway(name); !ok {
			return true
		}
	}
	for _, name := range need.Services {
		if _, ok := world.View.AppOfService(name); !ok && !world.View.IsCompanionService(name) {
			return true
		}
	}
	return false
}
