// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// traefikPrecedence orders candidates by Traefik's sum of points, the most first. It is not the specification's order: 1,000 points for a
// method weigh as much as ten characters of a prefix, a regular expression counts as a prefix of its length, and a hostname has one point
// a character (traefik pkg/provider/kubernetes/gateway, buildMatchRule).
func traefikPrecedence(a, b match) int { return cmp.Compare(traefikPoints(b), traefikPoints(a)) }

func traefikPoints(m match) int {
	points := len(m.route.Spec.Rules) - m.index + 100*len(m.is.Headers) + 10*len(m.is.QueryParams)
	longest := 0
	for _, h := range m.route.Spec.Hostnames {
		longest = max(longest, len(h))
	}
	points += longest
	if m.is.Method != nil {
		points += 1000
	}
	switch kind, value := pathOf(m.is); {
	case kind == gatewayv1.PathMatchExact:
		return points + 100_000
	case kind == gatewayv1.PathMatchPathPrefix && value == "/":
		return points + 1
	default:
		return points + 10_000 + 100*len(value)
	}
}

// traefikTakes is takes as Traefik has it: one of several values of a header or query parameter is enough, and a regular expression need
// not match the whole of anything (traefik pkg/muxer/http).
func traefikTakes(m gatewayv1.HTTPRouteMatch, r Request) bool {
	if m.Method != nil && string(*m.Method) != r.Method {
		return false
	}
	if kind, value := pathOf(m); kind == gatewayv1.PathMatchRegularExpression {
		if !contains(r.Path, value) {
			return false
		}
	} else if !takesPath(m, r.Path) {
		return false
	}
	for _, h := range m.Headers {
		compare := equals
		if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
			compare = contains
		}
		if !slices.ContainsFunc(r.Header[http.CanonicalHeaderKey(string(h.Name))], func(v string) bool { return compare(v, h.Value) }) {
			return false
		}
	}
	query, _ := url.ParseQuery(r.Query)
	for _, q := range m.QueryParams {
		compare := equals
		if q.Type != nil && *q.Type == gatewayv1.QueryParamMatchRegularExpression {
			compare = contains
		}
		if !slices.ContainsFunc(query[string(q.Name)], func(v string) bool { return compare(v, q.Value) }) {
			return false
		}
	}
	return true
}

// contains says whether a regular expression matches some part of a value.
func contains(value, pattern string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(value)
}
