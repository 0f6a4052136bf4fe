// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

// route is what loading reads of a stored route.
type route struct {
	object mesh.Object
	need   mesh.Need
	// destinations are the namespaces that the route sends to.
	destinations []string
	// read is what likeness was made of. It is the same for routes that say the same of all that loading reads but their name.
	read     *mesh.RouteObject
	likeness string
	// apps are those that the route's rules ask what may be an ingress companion for.
	apps []mesh.AppRef
	// optedOut says that the route's owner keeps it out of the mesh.
	optedOut bool
	// backends are where the route sends the traffic of its parent Services.
	backends []mesh.ServiceSplit
	// calls tell which ingress companions the route sends traffic through, and for which apps it needs a Service of their own in front of them.
	calls mesh.RouteCalls
}

// routeOf reads an HTTPRoute or GRPCRoute. Of one that is packed it was read before.
func routeOf(object client.Object) route {
	if p, ok := object.(*packed); ok {
		if read, ok := p.derived.Load().(*route); ok {
			return *read
		}
		return route{}
	}
	r := route{
		object:   mesh.Object{APIVersion: gatewayv1.GroupVersion.String(), Namespace: object.GetNamespace(), Name: object.GetName()},
		optedOut: object.GetAnnotations()[mesh.AnnotationEnabled] == "false",
	}
	switch stored := object.(type) {
	case *gatewayv1.HTTPRoute:
		read := mesh.ObjectOfHTTPRoute(stored)
		r.object.Kind, r.need, r.destinations, r.read = mesh.KindHTTPRoute, read.Need(), read.Destinations(), read
		r.apps, r.backends, r.calls = mesh.RouteApps(stored), mesh.ServiceSplits(stored), mesh.CallsOfHTTPRoute(stored)
	case *gatewayv1.GRPCRoute:
		read := mesh.ObjectOfGRPCRoute(stored)
		r.object.Kind, r.need, r.destinations, r.read = mesh.KindGRPCRoute, read.Need(), read.Destinations(), read
		r.apps, r.backends, r.calls = mesh.GRPCRouteApps(stored), mesh.GRPCServiceSplits(stored), mesh.CallsOfGRPCRoute(stored)
	}
	return r
}

// route is what loading reads of a stored route, read once for each of its versions.
func (l *Loader) route(object client.Object) route {
	if _, ok := object.(*packed); ok {
		return routeOf(object)
	}
	return l.routes.of(object, func() route { return routeKept(object) })
}

// routeKept is a route as it is kept: with its likeness, and without what that was made of.
func routeKept(object client.Object) route {
	r := routeOf(object)
	if r.read != nil {
		r.likeness, r.read = likenessOf(r.read), nil
	}
	return r
}

// likenessOf is a hash of a route's namespace, whether it is kept out of the mesh, its parents, and of each rule the backends and what
// they invoke.
func likenessOf(r *mesh.RouteObject) string {
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%s\x00%s\x00%+v\x00", r.Namespace, r.Annotations[mesh.AnnotationEnabled], mesh.Parents(r.Namespace, r.ParentRefs))
	need := r.Need()
	_, _ = fmt.Fprintf(hash, "%+v\x00", need)
	for i := range r.Rules {
		rule := &r.Rules[i]
		for b := range rule.BackendRefs {
			ref := &rule.BackendRefs[b]
			service, _ := mesh.BackendService(r.Namespace, ref.BackendObjectReference)
			invocation, invokes := mesh.BackendInvocation(rule.Filters, ref.Filters)
			port := int32(0)
			if ref.Port != nil {
				port = *ref.Port
			}
			// A backend of weight 0 gets no traffic (mesh.ServiceSplits).
			idle := ref.Weight != nil && *ref.Weight == 0
			_, _ = fmt.Fprintf(hash, "%d %s %d %t %t %s\x00", i, service, port, idle, invokes, invocation.App)
		}
	}
	return string(hash.Sum(nil))
}

// references are what the route concerns: "Service/default/whoami", "Gateway/default/g", "app/default/whoami". Sorted.
func (r route) references() []string {
	var keys []string
	for _, name := range r.need.Services {
		keys = append(keys, serviceReference(name))
	}
	for _, name := range r.need.Gateways {
		keys = append(keys, gatewayReference(name))
	}
	for _, app := range r.apps {
		keys = append(keys, appReference(app))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func serviceReference(name mesh.Name) string { return "Service/" + name.String() }
func gatewayReference(name mesh.Name) string { return "Gateway/" + name.String() }
func appReference(ref mesh.AppRef) string    { return "app/" + ref.Namespace + "/" + ref.ID }

// byNamespace finds routes by a namespace that they concern.
func byNamespace() index {
	return index{field: "daprise.namespace", keys: func(object client.Object) []string { return routeOf(object).need.Namespaces }}
}

// byTarget finds routes by a namespace with a Service or an app that they send to, or whose traffic they divide.
func byTarget() index {
	return index{field: "daprise.target", keys: func(object client.Object) []string { return routeOf(object).destinations }}
}

// byGranted finds ReferenceGrants by a namespace that they are for.
func byGranted() index {
	return index{field: "daprise.granted", keys: func(object client.Object) []string {
		grant, ok := object.(*gatewayv1beta1.ReferenceGrant)
		if !ok {
			return nil
		}
		var namespaces []string
		for _, from := range grant.Spec.From {
			namespaces = append(namespaces, string(from.Namespace))
		}
		return sortedUnion(namespaces, nil)
	}}
}

// byReference finds routes by what they concern (route.references).
func byReference() index {
	return index{field: "daprise.reference", keys: func(object client.Object) []string { return routeOf(object).references() }}
}

// byInstance finds what daprise made for an app ID of a namespace.
func byInstance() index {
	return index{field: "daprise.instance", local: true, keys: func(object client.Object) []string {
		return []string{object.GetLabels()[mesh.LabelInstance]}
	}}
}

// indexes of every kind that has some.
func indexes() map[kind][]index {
	all := map[kind][]index{
		kindHTTPRoute:      {byNamespace(), byTarget(), byReference()},
		kindGRPCRoute:      {byNamespace(), byTarget(), byReference()},
		kindCiliumPolicy:   {byInstance()},
		kindReferenceGrant: {byGranted()},
	}
	for _, k := range ownedKinds() {
		all[k] = []index{byInstance()}
	}
	return all
}
