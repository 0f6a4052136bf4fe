// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Cluster is what a gateway reads of the API server. It is not modified.
type Cluster struct {
	Namespaces []corev1.Namespace
	Gateways   []gatewayv1.Gateway
	HTTPRoutes []gatewayv1.HTTPRoute
	GRPCRoutes []gatewayv1.GRPCRoute
	Grants     []gatewayv1.ReferenceGrant
	Services   []corev1.Service
	Slices     []discoveryv1.EndpointSlice
}

// Parent is what a gateway serves: a Gateway's listeners on a port, or the port of a Service, whose own traffic it divides (GAMMA).
type Parent struct {
	// Kind is "Gateway" or "Service".
	Kind            string
	Namespace, Name string
	Port            int32
}

// Server is a gateway that serves one parent by the routes attached to it.
type Server struct {
	Parent  Parent
	Cluster Cluster
	HTTP    Gateway
	GRPC    GRPCGateway
}

// Serve finds the routes that are attached to a parent (Gateway API, ParentReference and AllowedRoutes), with their hostnames cut down
// to those of the listeners. A Gateway that does not exist has no routes.
func (c Cluster) Serve(implementation Implementation, parent Parent) Server {
	s := Server{Parent: parent, Cluster: c, HTTP: Gateway{Implementation: implementation}, GRPC: GRPCGateway{Implementation: implementation}}
	for i := range c.HTTPRoutes {
		route := &c.HTTPRoutes[i]
		if hostnames, ok := c.attach(parent, attachment{"HTTPRoute", route.Namespace, route.Spec.ParentRefs, route.Spec.Hostnames}); ok {
			route = route.DeepCopy()
			route.Spec.Hostnames = hostnames
			s.HTTP.Routes = append(s.HTTP.Routes, route)
		}
	}
	for i := range c.GRPCRoutes {
		route := &c.GRPCRoutes[i]
		if hostnames, ok := c.attach(parent, attachment{"GRPCRoute", route.Namespace, route.Spec.ParentRefs, route.Spec.Hostnames}); ok {
			route = route.DeepCopy()
			route.Spec.Hostnames = hostnames
			s.GRPC.Routes = append(s.GRPC.Routes, route)
		}
	}
	return s
}

// attachment is what a route says about where it belongs.
type attachment struct {
	kind, namespace string
	parents         []gatewayv1.ParentReference
	hostnames       []gatewayv1.Hostname
}

// attach says whether a route is attached to a parent, and for which hostnames: those of all listeners that take it.
func (c Cluster) attach(parent Parent, route attachment) ([]gatewayv1.Hostname, bool) {
	var hostnames []gatewayv1.Hostname
	attached, anyHost := false, false
	for _, ref := range route.parents {
		if !refersTo(ref, route.namespace, parent) {
			continue
		}
		if parent.Kind == "Service" {
			// The hostnames of a Service's routes mean nothing (GEP-1294).
			return nil, ref.Port == nil || *ref.Port == parent.Port
		}
		for _, listener := range c.listeners(parent) {
			if !names(ref, listener) || !c.allows(listener, parent.Namespace, route) {
				continue
			}
			common, ok := commonHostnames(listener.Hostname, route.hostnames)
			attached = attached || ok
			anyHost = anyHost || ok && len(common) == 0
			hostnames = append(hostnames, common...)
		}
	}
	if anyHost {
		return nil, true
	}
	return hostnames, attached
}

func refersTo(ref gatewayv1.ParentReference, namespace string, parent Parent) bool {
	group, kind := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind("Gateway")
	if ref.Group != nil {
		group = *ref.Group
	}
	if ref.Kind != nil {
		kind = *ref.Kind
	}
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	want := gatewayv1.Group(gatewayv1.GroupName)
	if parent.Kind == "Service" {
		want = ""
	}
	return group == want && string(kind) == parent.Kind && namespace == parent.Namespace && string(ref.Name) == parent.Name
}

// listeners are those of the parent Gateway that serve HTTP on its port.
func (c Cluster) listeners(parent Parent) []gatewayv1.Listener {
	var found []gatewayv1.Listener
	for i := range c.Gateways {
		g := &c.Gateways[i]
		if g.Namespace != parent.Namespace || g.Name != parent.Name {
			continue
		}
		for _, l := range g.Spec.Listeners {
			if l.Protocol == gatewayv1.HTTPProtocolType && l.Port == parent.Port {
				found = append(found, l)
			}
		}
	}
	return found
}

// names says whether a parentRef means a listener among those of its Gateway.
func names(ref gatewayv1.ParentReference, l gatewayv1.Listener) bool {
	return (ref.SectionName == nil || *ref.SectionName == l.Name) && (ref.Port == nil || *ref.Port == l.Port)
}

// allows says whether a listener takes routes of the kind and from the namespace of a route.
func (c Cluster) allows(l gatewayv1.Listener, namespace string, route attachment) bool {
	allowed := l.AllowedRoutes
	if allowed == nil {
		return route.namespace == namespace
	}
	isKind := func(k gatewayv1.RouteGroupKind) bool { return string(k.Kind) == route.kind }
	if len(allowed.Kinds) > 0 && !slices.ContainsFunc(allowed.Kinds, isKind) {
		return false
	}
	from := gatewayv1.NamespacesFromSame
	if allowed.Namespaces != nil && allowed.Namespaces.From != nil {
		from = *allowed.Namespaces.From
	}
	switch from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(allowed.Namespaces.Selector)
		return err == nil && slices.ContainsFunc(c.Namespaces, func(n corev1.Namespace) bool {
			return n.Name == route.namespace && selector.Matches(labels.Set(n.Labels))
		})
	default:
		return from == gatewayv1.NamespacesFromSame && route.namespace == namespace
	}
}

// commonHostnames are the hostnames that both a listener and a route have, none meaning any. It is false where there is none in common.
func commonHostnames(listener *gatewayv1.Hostname, route []gatewayv1.Hostname) ([]gatewayv1.Hostname, bool) {
	if listener == nil || *listener == "" {
		return route, true
	}
	if len(route) == 0 {
		return []gatewayv1.Hostname{*listener}, true
	}
	var common []gatewayv1.Hostname
	for _, h := range route {
		switch {
		case covers(*listener, h):
			common = append(common, h)
		case covers(h, *listener):
			common = append(common, *listener)
		}
	}
	return common, len(common) > 0
}

// covers says whether every host of the second is one of the first.
func covers(wide, narrow gatewayv1.Hostname) bool {
	suffix, wild := strings.CutPrefix(string(wide), "*")
	return wide == narrow || wild && strings.HasSuffix(string(narrow), suffix)
}
