// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// companion is a companion as network policy sees it: its endpoint, who must reach it and who may.
type companion struct {
	ref       mesh.AppRef
	component mesh.Component
	owner     mesh.Object
	endpoint  Endpoint
	flows     []need
	ports     []exposed
}

// need is a flow that must pass: F1 or F2.
type need struct {
	from Endpoint
	// name is the source in words; namespace is the one its policies are in, empty for the gateway.
	name      string
	namespace string
	port      int32
}

// exposed is a port of the isolated set, with those who may reach it.
type exposed struct {
	port    int32
	allowed []Source
}

// String is `ingress companion "ingress" (default)` or `companion "whoami" (default)`.
func (c *companion) String() string { return describe(c.ref, c.component) }

func describe(ref mesh.AppRef, component mesh.Component) string {
	if component == mesh.ComponentIngress {
		return fmt.Sprintf("ingress companion %q (%s)", ref.ID, ref.Namespace)
	}
	return fmt.Sprintf("companion %q (%s)", ref.ID, ref.Namespace)
}

// companionEndpoint is the pods of a companion.
func companionEndpoint(view *mesh.View, ref mesh.AppRef, component mesh.Component, ports map[string]int32) Endpoint {
	return Endpoint{
		Namespace:       ref.Namespace,
		Labels:          mesh.PodLabels(ref.ID, component),
		NamespaceLabels: view.Namespaces[ref.Namespace],
		ServiceAccount:  mesh.CompanionName(ref.ID),
		Ports:           ports,
	}
}

// ofIngress describes an ingress companion: the gateway reaches 3500 (F1), and 50001 where GRPCRoutes need it.
func ofIngress(view *mesh.View, g mesh.Ingress) *companion {
	gateway := []Source{{Entity: EntityIngress}}
	c := &companion{
		ref: g.AppRef, component: mesh.ComponentIngress, owner: g.Owner.Object,
		endpoint: companionEndpoint(view, g.AppRef, mesh.ComponentIngress, companionPorts(mesh.PortHTTP, mesh.PortGRPC)),
	}
	c.flows = []need{{from: Endpoint{Entity: EntityIngress}, name: "the gateway", port: mesh.PortHTTP}}
	c.ports = []exposed{{mesh.PortHTTP, gateway}, {mesh.PortPublic, nil}, {mesh.PortGRPC, nil}, {mesh.PortInternal, nil}}
	if g.GRPC {
		c.flows = append(c.flows, need{from: Endpoint{Entity: EntityIngress}, name: "the gateway", port: mesh.PortGRPC})
		c.ports[2].allowed = gateway
	}
	return c
}

// ofApp describes an app's companion: ingress companions that route to it and callers reach 50002 (F2), the app's own pods the Dapr
// API (F4), if they may.
func ofApp(view *mesh.View, app mesh.App) *companion {
	c := &companion{
		ref: app.AppRef, component: mesh.ComponentApp, owner: app.Owner.Object,
		endpoint: companionEndpoint(view, app.AppRef, mesh.ComponentApp, companionPorts(app.HTTPPort(), app.GRPCPort())),
	}
	var callers []Source
	for _, ref := range callersOf(view, app) {
		component := componentOf(view, ref)
		c.flows = append(c.flows, need{
			from: companionEndpoint(view, ref, component, nil), name: describe(ref, component), namespace: ref.Namespace, port: mesh.PortInternal,
		})
		callers = append(callers, companionSources(ref)...)
	}
	// Policies come before routes in every first install, so an enrolled Gateway's companion may be let in before it routes to the
	// app (docs/adr/0001).
	for _, g := range view.Ingresses {
		callers = append(callers, companionSources(g.AppRef)...)
	}
	var own []Source
	if app.DaprAPI {
		own = []Source{{Namespace: app.Namespace, Labels: app.Selector}}
	}
	c.ports = []exposed{{mesh.PortInternal, callers}, {app.HTTPPort(), own}, {mesh.PortPublic, nil}, {app.GRPCPort(), own}}
	return c
}

// companionSources are the pods that count as a companion: those with the guarded label, and those that policies written for Dapr
// Shared name, by Dapr's app ID or the ServiceAccount. Whoever may create pods in the namespace can be any app ID there.
func companionSources(ref mesh.AppRef) []Source {
	return []Source{
		{Namespace: ref.Namespace, Labels: map[string]string{mesh.LabelCompanion: ref.ID}},
		{Namespace: ref.Namespace, Labels: map[string]string{mesh.AnnotationAppID: ref.ID}},
		{Namespace: ref.Namespace, Labels: map[string]string{keyServiceAccount: mesh.CompanionName(ref.ID)}},
	}
}

// callersOf are the ingress companions that route to the app and its declared callers, sorted, each once.
func callersOf(view *mesh.View, app mesh.App) []mesh.AppRef {
	callers := map[mesh.AppRef]bool{}
	for _, r := range view.Routes {
		if r.App == app.AppRef {
			callers[r.Ingress] = true
		}
	}
	for _, ref := range app.Callers {
		callers[ref] = true
	}
	delete(callers, app.AppRef)
	return slices.SortedFunc(maps.Keys(callers), func(a, b mesh.AppRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
	})
}

// componentOf tells ingress companions from those of apps. A caller that is not enrolled, or not in the View, counts as an app.
func componentOf(view *mesh.View, ref mesh.AppRef) mesh.Component {
	if _, ok := view.Ingress(ref); ok {
		return mesh.ComponentIngress
	}
	if slices.ContainsFunc(view.Routes, func(r mesh.RouteTarget) bool { return r.Ingress == ref }) {
		return mesh.ComponentIngress
	}
	return mesh.ComponentApp
}
