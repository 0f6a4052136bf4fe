// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// routes finds the routes of the namespaces asked for, and with them the namespaces at their other ends.
func (b *build) routes(ctx context.Context) error {
	b.concern(b.need.Namespaces...)
	for _, name := range slices.Concat(b.need.Gateways, b.need.Services) {
		b.concern(name.Namespace)
	}
	for _, k := range []kind{kindHTTPRoute, kindGRPCRoute} {
		objects, err := b.routesOf(ctx, k)
		if err != nil {
			return err
		}
		likenesses := map[string]int{}
		for _, object := range objects {
			r := b.loader.route(object)
			if likenesses[r.likeness]++; !b.need.Narrow || likenesses[r.likeness] <= enoughAlike {
				b.stored = append(b.stored, r)
			}
		}
	}
	for _, r := range b.stored {
		for _, gateway := range r.need.Gateways {
			b.concern(gateway.Namespace)
		}
		if len(r.apps) > 0 {
			b.concern(r.need.Namespaces...)
		}
	}
	return nil
}

// routesOf are the routes of one kind that concern the namespaces asked for.
func (b *build) routesOf(ctx context.Context, k kind) ([]client.Object, error) {
	if b.need.AllNamespaces {
		return listed[client.Object](ctx, b, k, scope{})
	}
	by := byNamespace()
	if b.need.Narrow {
		by = byTarget()
	}
	_, cached := b.loader.door.cached(k)
	if cached && b.door.caches == nil && b.need.Narrow {
		return b.routesHere(ctx, k)
	}
	var all []client.Object
	for _, ns := range b.concerned {
		objects, err := listed[client.Object](ctx, b, k, scope{index: by, key: ns})
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// routesHere are the routes of a narrow live load: those stored in the namespaces concerned are read live; those of other namespaces that
// send there come from the caches, as to find them would be to read all routes of the cluster.
func (b *build) routesHere(ctx context.Context, k kind) ([]client.Object, error) {
	var all []client.Object
	for _, ns := range b.concerned {
		here, err := listed[client.Object](ctx, b, k, scope{namespace: ns})
		if err != nil {
			return nil, err
		}
		for _, object := range here {
			if slices.ContainsFunc(routeOf(object).destinations, func(ns string) bool { return slices.Contains(b.concerned, ns) }) {
				all = append(all, object)
			}
		}
		from, _, err := list[client.Object](ctx, b.loader.door, k, scope{index: byTarget(), key: ns})
		if err != nil {
			return nil, err
		}
		for _, object := range from {
			if !slices.Contains(b.concerned, object.GetNamespace()) {
				all = append(all, object)
			}
		}
	}
	return all, nil
}

// targets tells, once the ingress companions are known, which of them the routes send traffic through: those of enrolled Gateways and
// those on their way out, whose Services still stand.
func (b *build) targets(services []client.Object) {
	ingresses := slices.Clone(b.view.Ingresses)
	for _, s := range services {
		labels := s.GetLabels()
		ref := mesh.AppRef{Namespace: s.GetNamespace(), ID: labels[mesh.LabelInstance]}
		if _, enrolled := b.view.Ingress(ref); !enrolled && labels[mesh.LabelComponent] == string(mesh.ComponentIngress) {
			ingresses = append(ingresses, mesh.Ingress{AppRef: ref})
		}
	}
	for _, r := range b.stored {
		b.view.Routes = append(b.view.Routes, r.calls.Targets(ingresses)...)
	}
	slices.SortFunc(b.view.Routes, compareTargets)
	b.view.Routes = slices.Compact(b.view.Routes)
}

func compareTargets(a, b mesh.RouteTarget) int {
	return cmp.Or(
		cmp.Compare(a.Route.Kind, b.Route.Kind),
		cmp.Compare(a.Route.Namespace, b.Route.Namespace),
		cmp.Compare(a.Route.Name, b.Route.Name),
		cmp.Compare(a.Ingress.Namespace, b.Ingress.Namespace), cmp.Compare(a.Ingress.ID, b.Ingress.ID),
		cmp.Compare(a.App.Namespace, b.App.Namespace), cmp.Compare(a.App.ID, b.App.ID),
	)
}
