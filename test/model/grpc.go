// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// GRPCGateway is one Gateway with the GRPCRoutes that attach to it. The routes are not modified.
type GRPCGateway struct {
	Implementation Implementation
	Routes         []*gatewayv1.GRPCRoute
}

// grpcMatch is one match of a rule, as a candidate for a call.
type grpcMatch struct {
	route *gatewayv1.GRPCRoute
	index int
	is    gatewayv1.GRPCRouteMatch
	host  string
}

// Deliver says what happens to a call, whose path is "/package.Service/Method": the longest service, the longest method and the most
// headers win, then the oldest route, the first by name and the first rule (Gateway API, GRPCRouteRule.matches). There is no rewriting of
// paths, and Cilium reads no filters of backendRefs (operator/pkg/model/ingestion, extractGRPCRoutes).
func (g GRPCGateway) Deliver(r Request) []Delivery {
	taken, ok := g.take(r)
	if !ok {
		return []Delivery{{Status: http.StatusNotFound, Weight: 1}}
	}
	rule := &taken.route.Spec.Rules[taken.index]
	filters := make([]gatewayv1.HTTPRouteFilter, 0, len(rule.Filters))
	for _, f := range rule.Filters {
		filters = append(filters, gatewayv1.HTTPRouteFilter{RequestHeaderModifier: f.RequestHeaderModifier})
	}
	forwarded := Gateway{Implementation: g.Implementation}.modify(r.clone(), filters)
	var deliveries []Delivery
	for _, ref := range rule.BackendRefs {
		weight := int32(1)
		if ref.Weight != nil {
			weight = *ref.Weight
		}
		if weight > 0 {
			to := service(taken.route.Namespace, ref.BackendObjectReference)
			deliveries = append(deliveries, Delivery{Kind: "GRPCRoute", From: taken.route.Namespace, To: to, Weight: weight, Request: forwarded.clone()})
		}
	}
	if len(deliveries) == 0 {
		return []Delivery{{Status: http.StatusInternalServerError, Weight: 1}}
	}
	for _, f := range rule.Filters {
		if f.RequestMirror != nil {
			to := service(taken.route.Namespace, f.RequestMirror.BackendRef)
			deliveries = append(deliveries, Delivery{Kind: "GRPCRoute", From: taken.route.Namespace, To: to, Mirror: true, Request: forwarded.clone()})
		}
	}
	return deliveries
}

func (g GRPCGateway) take(r Request) (grpcMatch, bool) {
	var candidates []grpcMatch
	for _, route := range g.Routes {
		host, ok := hostOf(route.Spec.Hostnames, r.Host)
		if !ok {
			continue
		}
		for i := range route.Spec.Rules {
			matches := route.Spec.Rules[i].Matches
			if len(matches) == 0 {
				matches = []gatewayv1.GRPCRouteMatch{{}}
			}
			for _, m := range matches {
				if takesCall(m, r) {
					candidates = append(candidates, grpcMatch{route: route, index: i, is: m, host: host})
				}
			}
		}
	}
	if len(candidates) == 0 {
		return grpcMatch{}, false
	}
	slices.SortStableFunc(candidates, func(a, b grpcMatch) int {
		return cmp.Or(
			cmp.Compare(hostRank(a.host), hostRank(b.host)),
			cmp.Compare(len(b.host), len(a.host)),
			cmp.Compare(len(serviceOf(b.is)), len(serviceOf(a.is))),
			cmp.Compare(len(methodOf(b.is)), len(methodOf(a.is))),
			cmp.Compare(len(b.is.Headers), len(a.is.Headers)),
			a.route.CreationTimestamp.Compare(b.route.CreationTimestamp.Time),
			cmp.Compare(a.route.Namespace+"/"+a.route.Name, b.route.Namespace+"/"+b.route.Name),
			cmp.Compare(a.index, b.index),
		)
	})
	return candidates[0], true
}

func serviceOf(m gatewayv1.GRPCRouteMatch) string {
	if m.Method == nil || m.Method.Service == nil {
		return ""
	}
	return *m.Method.Service
}

func methodOf(m gatewayv1.GRPCRouteMatch) string {
	if m.Method == nil || m.Method.Method == nil {
		return ""
	}
	return *m.Method.Method
}

// takesCall says whether a match is one for a call. Metadata is in the header.
func takesCall(m gatewayv1.GRPCRouteMatch, r Request) bool {
	called, method, ok := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	if !ok {
		return false
	}
	compare := equals
	if m.Method != nil && m.Method.Type != nil && *m.Method.Type == gatewayv1.GRPCMethodMatchRegularExpression {
		compare = fits
	}
	if want := serviceOf(m); want != "" && !compare(called, want) {
		return false
	}
	if want := methodOf(m); want != "" && !compare(method, want) {
		return false
	}
	for _, h := range m.Headers {
		values := r.Header[http.CanonicalHeaderKey(string(h.Name))]
		compare := equals
		if h.Type != nil && *h.Type == gatewayv1.GRPCHeaderMatchRegularExpression {
			compare = fits
		}
		if len(values) == 0 || !compare(strings.Join(values, ","), h.Value) {
			return false
		}
	}
	return true
}

// GRPC is a call to port 50001: Dapr's own API, which is closed, or one that is proxied to the app that the metadata name, the callee's
// first (dapr pkg/messaging, proxy.intercept).
func (d Daprd) GRPC(r Request) Arrival {
	if strings.HasPrefix(r.Path, "/dapr.proto.runtime.") {
		return Arrival{Status: http.StatusNotImplemented}
	}
	r = r.clone()
	target := ""
	for _, name := range []string{"Dapr-Callee-App-Id", "Dapr-App-Id"} {
		if values := r.Header[name]; target == "" && len(values) > 0 {
			target = values[0]
		}
	}
	app, ok := d.parse(target)
	if !ok {
		return Arrival{Status: http.StatusInternalServerError}
	}
	r.Header.Del("Dapr-Api-Token")
	r.Host = ""
	return Arrival{To: app, Request: r}
}
