// SPDX-License-Identifier: Apache-2.0

package model

import (
	"net/http"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Implementation is a gateway whose rewriting is modelled.
type Implementation string

// Implementations. Istio and Envoy Gateway rewrite as Cilium118 does.
const (
	// Specification is the text of the Gateway API's HTTPURLRewriteFilter and HTTPHeaderFilter, taken literally.
	Specification Implementation = "specification"
	// Cilium118 is Cilium up to 1.18: Envoy's prefix_rewrite, whose prefix "/" leaves no slash behind.
	Cilium118 Implementation = "cilium-1.18"
	// Cilium119 is Cilium from 1.19 on: a match of "/" is rewritten by a regular expression (cilium#42204).
	Cilium119 Implementation = "cilium-1.19"
	// Traefik joins path segments and drops what is empty (traefik pkg/middlewares/gatewayapi/urlrewrite).
	Traefik Implementation = "traefik"
)

// Implementations are all of them.
func Implementations() []Implementation {
	return []Implementation{Specification, Cilium118, Cilium119, Traefik}
}

// Gateway is one Gateway with the HTTPRoutes that attach to it. The routes are not modified.
type Gateway struct {
	Implementation Implementation
	Routes         []*gatewayv1.HTTPRoute
}

// Deliver says what happens to a request: one delivery for each backend with a weight, one for each mirror, or the gateway's own
// answer. It does not modify the request.
func (g Gateway) Deliver(r Request) []Delivery {
	r = g.received(r)
	taken, ok := g.take(r)
	if !ok {
		return []Delivery{{Status: http.StatusNotFound, Weight: 1}}
	}
	rule := taken.rule()
	if redirects(rule.Filters) {
		return []Delivery{{Status: http.StatusFound, Weight: 1}}
	}
	forwarded, ok := g.rewrite(r.clone(), taken)
	if !ok {
		return []Delivery{{Status: http.StatusBadRequest, Weight: 1}}
	}
	var deliveries []Delivery
	for i := range rule.BackendRefs {
		ref := &rule.BackendRefs[i]
		weight := int32(1)
		if ref.Weight != nil {
			weight = *ref.Weight
		}
		if weight == 0 {
			continue
		}
		deliveries = append(deliveries, Delivery{
			Kind: "HTTPRoute", From: taken.route.Namespace,
			To: service(taken.route.Namespace, ref.BackendObjectReference), Weight: weight, Request: g.toBackend(forwarded, taken, i),
		})
	}
	if len(deliveries) == 0 {
		return []Delivery{{Status: http.StatusInternalServerError, Weight: 1}}
	}
	for i := range rule.Filters {
		if mirror := rule.Filters[i].RequestMirror; mirror != nil {
			copied := g.modify(forwarded.clone(), rule.Filters)
			to := service(taken.route.Namespace, mirror.BackendRef)
			deliveries = append(deliveries, Delivery{Kind: "HTTPRoute", From: taken.route.Namespace, To: to, Mirror: true, Request: copied})
		}
	}
	return deliveries
}

func redirects(filters []gatewayv1.HTTPRouteFilter) bool {
	return slices.ContainsFunc(filters, func(f gatewayv1.HTTPRouteFilter) bool { return f.RequestRedirect != nil })
}

func service(namespace string, ref gatewayv1.BackendObjectReference) Service {
	s := Service{Namespace: namespace, Name: string(ref.Name)}
	if ref.Namespace != nil {
		s.Namespace = string(*ref.Namespace)
	}
	if ref.Port != nil {
		s.Port = *ref.Port
	}
	return s
}

// toBackend applies the header modifiers of a rule and of one of its backendRefs.
func (g Gateway) toBackend(r Request, taken match, backend int) Request {
	rule := taken.rule()
	own := rule.BackendRefs[backend].Filters
	switch g.Implementation {
	case Cilium118, Cilium119:
		if len(rule.BackendRefs) == 1 {
			// One backend's filters are put behind the route's: all removals come first (Envoy, HeaderParser).
			return g.modify(r.clone(), slices.Concat(rule.Filters, own))
		}
		// Envoy evaluates a weighted cluster's headers before its route's. Cilium finds the filter by Service and port, the last of
		// equal ones winning (operator/pkg/model/translation, getRouteAction).
		to := service(taken.route.Namespace, rule.BackendRefs[backend].BackendObjectReference)
		for i := range rule.BackendRefs {
			ref := &rule.BackendRefs[i]
			if service(taken.route.Namespace, ref.BackendObjectReference) == to && len(ref.Filters) > 0 {
				own = ref.Filters[len(ref.Filters)-1:]
			}
		}
		return g.modify(g.modify(r.clone(), own), rule.Filters)
	default:
		return g.modify(g.modify(r.clone(), rule.Filters), own)
	}
}
