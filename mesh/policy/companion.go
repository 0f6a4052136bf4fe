// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/daprise/daprise/mesh"
)

// companion is a companion as network policy sees it: its endpoint, who must reach it and who may.
type companion struct {
	ref       mesh.AppRef
	component mesh.Component
	owner     mesh.Object
	endpoint  *Endpoint
	flows     []need
	ports     []exposed
}

// end is one end of a flow.
type end struct {
	endpoint *Endpoint
	// name is in words; namespace is the one its policies are in, empty for the gateway.
	name, namespace string
	// object names it in the names of policies, selector selects it in those.
	object   string
	selector map[string]string
}

// need is a flow that must pass: F1, F2 or F3.
type need struct {
	from, to end
	port     int32
	// toApp marks F3, from a companion to pods. assumed says that no pod is known, so that the Service's selector stands for them.
	toApp, assumed bool
	// sending says that the flow matters where it begins alone: another source arrives at its end.
	sending bool
}

// exposed is a port of the isolated set, with those who may reach it: companions, and others.
type exposed struct {
	port       int32
	companions []mesh.AppRef
	others     []Source
}

// sources are all who may reach the port.
func (e exposed) sources() []Source {
	var list []Source
	for _, ref := range e.companions {
		list = append(list, companionSources(ref)...)
	}
	return append(list, e.others...)
}

// String is `ingress companion "ingress" (default)` or `companion "whoami" (default)`.
func (c *companion) String() string { return describe(c.ref, c.component) }

// end is the companion as an end of a flow.
func (c *companion) end() end { return companionEnd(c.ref, c.component, c.endpoint) }

func companionEnd(ref mesh.AppRef, component mesh.Component, e *Endpoint) end {
	return end{
		endpoint: e, name: describe(ref, component), namespace: ref.Namespace,
		object: mesh.CompanionName(ref.ID), selector: map[string]string{mesh.LabelCompanion: ref.ID},
	}
}

func describe(ref mesh.AppRef, component mesh.Component) string {
	name := "companion " + strconv.Quote(ref.ID) + " (" + ref.Namespace + ")"
	if component == mesh.ComponentIngress {
		return "ingress " + name
	}
	return name
}

// gatewayEnd is every gateway of the cluster, which Cilium knows by one identity.
func gatewayEnd() end {
	return end{
		endpoint: &Endpoint{Entity: EntityIngress}, name: "the gateway", object: "gateway",
		selector: map[string]string{sourceReserved + ":" + EntityIngress: ""},
	}
}

// companionEndpoint is the pods of a companion.
func companionEndpoint(view *mesh.View, ref mesh.AppRef, component mesh.Component, ports map[string]int32) *Endpoint {
	return &Endpoint{
		Namespace:       ref.Namespace,
		Labels:          mesh.PodLabels(ref.ID, component),
		NamespaceLabels: view.Namespaces[ref.Namespace],
		ServiceAccount:  mesh.CompanionName(ref.ID),
		Ports:           ports,
	}
}

// ofIngress describes an ingress companion: the gateway reaches 3500 (F1), and 50001 where GRPCRoutes need it. It may reach 50001 before,
// since policies come before routes (docs/adr/0001).
func ofIngress(view *mesh.View, g mesh.Ingress) *companion {
	gateway := []Source{{Entity: EntityIngress}}
	c := &companion{
		ref: g.AppRef, component: mesh.ComponentIngress, owner: g.Owner.Object,
		endpoint: companionEndpoint(view, g.AppRef, mesh.ComponentIngress, companionPorts(mesh.PortHTTP, mesh.PortGRPC)),
	}
	from := gatewayEnd()
	c.flows = []need{{from: from, to: c.end(), port: mesh.PortHTTP}}
	c.ports = []exposed{
		{port: mesh.PortHTTP, others: gateway}, {port: mesh.PortPublic}, {port: mesh.PortGRPC, others: gateway}, {port: mesh.PortInternal},
	}
	if g.GRPC {
		c.flows = append(c.flows, need{from: from, to: c.end(), port: mesh.PortGRPC})
	}
	return c
}

// ofApp describes an app's companion: ingress companions that route to it and callers reach 50002 (F2), the companion reaches the
// app's pods (F3), the app's own pods the Dapr API (F4), if they may.
func ofApp(view *mesh.View, app mesh.App) *companion { return look(view).app(app) }

func (d directory) app(app mesh.App) *companion {
	view := d.view
	c := &companion{
		ref: app.AppRef, component: mesh.ComponentApp, owner: app.Owner.Object,
		endpoint: companionEndpoint(view, app.AppRef, mesh.ComponentApp, companionPorts(app.HTTPPort(), app.GRPCPort())),
	}
	callers := d.callersOf(app)
	for _, ref := range callers {
		component := d.component(ref)
		from := companionEnd(ref, component, companionEndpoint(view, ref, component, nil))
		c.flows = append(c.flows, need{from: from, to: c.end(), port: mesh.PortInternal})
	}
	c.flows = append(c.flows, c.backends(d, app)...)
	// Policies come before routes in every first install, so an enrolled Gateway's companion may be let in before it routes to the
	// app (docs/adr/0001).
	for _, g := range view.Ingresses {
		if !slices.Contains(callers, g.AppRef) {
			callers = append(callers, g.AppRef)
		}
	}
	var own []Source
	if app.DaprAPI {
		own = []Source{{Namespace: app.Namespace, Labels: app.Selector}}
	}
	c.ports = []exposed{
		{port: mesh.PortInternal, companions: callers}, {port: app.HTTPPort(), others: own}, {port: mesh.PortPublic}, {port: app.GRPCPort(), others: own},
	}
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

// companionSelectors are companionSources as selectors.
func companionSelectors(ref mesh.AppRef) []selector {
	in, id := equals(sourceK8s, keyNamespace, ref.Namespace), []string{ref.ID}
	named := func(key string, values []string) selector {
		return selector{{source: sourceK8s, key: key, values: values}, in}
	}
	return []selector{
		named(mesh.LabelCompanion, id), named(mesh.AnnotationAppID, id), named(keyServiceAccount, []string{mesh.CompanionName(ref.ID)}),
	}
}

func compareAppRefs(a, b mesh.AppRef) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
}
