// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"net/http"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/test/model"
)

// tails are put behind the paths that a route matches.
func tails() []string {
	return []string{"", "/", "/a", "/a/b", "/a/", "x", "//a", "/a//b", "/a/../b", "/./a", "/a%2Fb", "/%41%20b", "/a%23", "/a%3Fb", "/a%25b", "/a%2541", "/a%00", "/v1.0/metadata",
		"/v1.0/invoke/cart.default/method/x", "/../../../v1.0/metadata", "/%2e%2e/%2e%2e/cart.default/method/x", "/method/x"}
}

// requestsFor are requests at and around what a route matches: for each match paths at, below and beside it, with and without its
// method, headers and query parameters, and with headers by which a client would choose target or caller.
func requestsFor(route *gatewayv1.HTTPRoute) []model.Request {
	var requests []model.Request
	for i := range route.Spec.Rules {
		matches := route.Spec.Rules[i].Matches
		if len(matches) == 0 {
			matches = []gatewayv1.HTTPRouteMatch{{}}
		}
		for _, m := range matches {
			requests = append(requests, requestsOf(route, m)...)
		}
	}
	return requests
}

func requestsOf(route *gatewayv1.HTTPRoute, m gatewayv1.HTTPRouteMatch) []model.Request {
	base := model.Request{Method: http.MethodGet, Host: hostFor(route), Query: "q=1%2F2", Header: http.Header{"X-Client": {"a", "b"}}}
	if m.Method != nil {
		base.Method = string(*m.Method)
	}
	for _, h := range m.Headers {
		base.Header.Set(string(h.Name), sample(h.Value))
	}
	for _, q := range m.QueryParams {
		base.Query += "&" + string(q.Name) + "=" + sample(q.Value)
	}
	value := "/"
	if m.Path != nil && m.Path.Value != nil {
		value = sample(*m.Path.Value)
	}
	var requests []model.Request
	for _, tail := range tails() {
		r := base
		r.Path = strings.TrimSuffix(value, "/") + tail
		if !strings.HasPrefix(r.Path, "/") {
			r.Path = "/" + r.Path
		}
		requests = append(requests, r)
	}
	bare := base
	bare.Path, bare.Method, bare.Query, bare.Header = value, http.MethodPost, "", http.Header{}
	requests = append(requests, bare)
	attack := base
	attack.Path, attack.Header = value, base.Header.Clone()
	for _, name := range []string{"Dapr-App-Id", "Dapr-Callee-App-Id", "Dapr-Caller-App-Id", "Dapr-Caller-Namespace", "Dapr-Api-Token"} {
		attack.Header.Set(name, "audit.default")
	}
	return append(requests, attack)
}

// sample is a text that a pattern of the kind used here matches.
func sample(pattern string) string {
	return strings.NewReplacer("[0-9]+", "42", ".*", "x", ".+", "x", "(", "", ")", "", "^", "", "$", "", "\\", "").Replace(pattern)
}

func hostFor(route *gatewayv1.HTTPRoute) string {
	if len(route.Spec.Hostnames) == 0 {
		return "any.example.com"
	}
	return strings.Replace(string(route.Spec.Hostnames[0]), "*", "sub", 1)
}

// callsFor are calls at and beside what a GRPCRoute matches, with and without its metadata, and with metadata by which a client would
// choose target or caller.
func callsFor(route *gatewayv1.GRPCRoute) []model.Request {
	var calls []model.Request
	for i := range route.Spec.Rules {
		matches := route.Spec.Rules[i].Matches
		if len(matches) == 0 {
			matches = []gatewayv1.GRPCRouteMatch{{}}
		}
		for _, m := range matches {
			service, method := "any.Service", "Any"
			if m.Method != nil && m.Method.Service != nil {
				service = sample(*m.Method.Service)
			}
			if m.Method != nil && m.Method.Method != nil {
				method = sample(*m.Method.Method)
			}
			header := http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "X-Data-Bin": {"AAE="}}
			for _, h := range m.Headers {
				header.Set(string(h.Name), sample(h.Value))
			}
			attack := header.Clone()
			for _, name := range []string{"Dapr-App-Id", "Dapr-Callee-App-Id", "Dapr-Caller-App-Id", "Dapr-Caller-Namespace", "Dapr-Api-Token"} {
				attack.Set(name, "audit.default")
			}
			for _, path := range []string{"/" + service + "/" + method, "/" + service + "/Other", "/other.Service/" + method} {
				for _, h := range []http.Header{header, attack, {}} {
					calls = append(calls, model.Request{Method: http.MethodPost, Host: grpcHostFor(route), Path: path, Header: h})
				}
			}
		}
	}
	return calls
}

func grpcHostFor(route *gatewayv1.GRPCRoute) string {
	if len(route.Spec.Hostnames) == 0 {
		return "any.example.com"
	}
	return strings.Replace(string(route.Spec.Hostnames[0]), "*", "sub", 1)
}
