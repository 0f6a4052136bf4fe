// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// match is one match of a rule, as a candidate for a request.
type match struct {
	route *gatewayv1.HTTPRoute
	index int
	// index of the rule, and the match itself; a rule without matches has one that is empty.
	is gatewayv1.HTTPRouteMatch
	// host is the hostname of the route by which the request came in, or empty.
	host string
}

func (m match) rule() *gatewayv1.HTTPRouteRule { return &m.route.Spec.Rules[m.index] }

// take finds the match that takes a request: the most specific hostname, then exact path, regular expression, longest prefix, method,
// number of headers, number of query parameters; then the oldest route, the first by name, and the first rule (Gateway API,
// HTTPRouteRule.matches). The place of regular expressions is that of Cilium's sorting. Traefik has an order of its own.
func (g Gateway) take(r Request) (match, bool) {
	taking, order := takes, precedence
	if g.Implementation == Traefik {
		taking, order = traefikTakes, traefikPrecedence
	}
	var candidates []match
	for _, route := range g.Routes {
		host, ok := hostOf(route.Spec.Hostnames, r.Host)
		if !ok {
			continue
		}
		for i := range route.Spec.Rules {
			matches := route.Spec.Rules[i].Matches
			if len(matches) == 0 {
				matches = []gatewayv1.HTTPRouteMatch{{}}
			}
			for _, m := range matches {
				if taking(m, r) {
					candidates = append(candidates, match{route: route, index: i, is: m, host: host})
				}
			}
		}
	}
	if len(candidates) == 0 {
		return match{}, false
	}
	slices.SortStableFunc(candidates, order)
	return candidates[0], true
}

func hostOf(hostnames []gatewayv1.Hostname, host string) (string, bool) {
	if len(hostnames) == 0 {
		return "", true
	}
	host, _, _ = strings.Cut(host, ":")
	best, found := "", false
	for _, h := range hostnames {
		name := string(h)
		suffix, wild := strings.CutPrefix(name, "*")
		if name != host && (!wild || !strings.HasSuffix(host, suffix) || len(host) == len(suffix)) {
			continue
		}
		if !found || len(name) > len(best) || name == host {
			best, found = name, true
		}
	}
	return best, found
}

// hostRank puts a hostname before one with a wildcard, and that before none.
func hostRank(host string) int {
	switch {
	case host == "":
		return 2
	case strings.HasPrefix(host, "*"):
		return 1
	default:
		return 0
	}
}

// precedence orders candidates, the winner first.
func precedence(a, b match) int {
	return cmp.Or(
		cmp.Compare(hostRank(a.host), hostRank(b.host)),
		cmp.Compare(len(b.host), len(a.host)),
		cmp.Compare(pathRank(a.is), pathRank(b.is)),
		cmp.Compare(pathLength(b.is), pathLength(a.is)),
		cmp.Compare(methodRank(a.is), methodRank(b.is)),
		cmp.Compare(len(b.is.Headers), len(a.is.Headers)),
		cmp.Compare(len(b.is.QueryParams), len(a.is.QueryParams)),
		a.route.CreationTimestamp.Compare(b.route.CreationTimestamp.Time),
		cmp.Compare(a.route.Namespace+"/"+a.route.Name, b.route.Namespace+"/"+b.route.Name),
		cmp.Compare(a.index, b.index),
	)
}

// pathOf reads a path match with the defaults of the API.
func pathOf(m gatewayv1.HTTPRouteMatch) (gatewayv1.PathMatchType, string) {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil && m.Path.Type != nil {
		kind = *m.Path.Type
	}
	if m.Path != nil && m.Path.Value != nil {
		value = *m.Path.Value
	}
	return kind, value
}

func pathRank(m gatewayv1.HTTPRouteMatch) int {
	switch kind, _ := pathOf(m); kind {
	case gatewayv1.PathMatchExact:
		return 0
	case gatewayv1.PathMatchRegularExpression:
		return 1
	default:
		return 2
	}
}

func pathLength(m gatewayv1.HTTPRouteMatch) int {
	kind, value := pathOf(m)
	if kind == gatewayv1.PathMatchPathPrefix {
		value = strings.TrimRight(value, "/")
	}
	return len(value)
}

func methodRank(m gatewayv1.HTTPRouteMatch) int {
	if m.Method != nil {
		return 0
	}
	return 1
}

// takes says whether a match is one for a request.
func takes(m gatewayv1.HTTPRouteMatch, r Request) bool {
	if m.Method != nil && string(*m.Method) != r.Method {
		return false
	}
	if !takesPath(m, r.Path) {
		return false
	}
	for _, h := range m.Headers {
		values := r.Header[http.CanonicalHeaderKey(string(h.Name))]
		compare := equals
		if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
			compare = fits
		}
		if len(values) == 0 || !compare(strings.Join(values, ","), h.Value) {
			return false
		}
	}
	query, _ := url.ParseQuery(r.Query)
	for _, q := range m.QueryParams {
		values := query[string(q.Name)]
		compare := equals
		if q.Type != nil && *q.Type == gatewayv1.QueryParamMatchRegularExpression {
			compare = fits
		}
		if len(values) == 0 || !compare(values[0], q.Value) {
			return false
		}
	}
	return true
}

// takesPath compares paths as they are on the wire, without decoding them.
func takesPath(m gatewayv1.HTTPRouteMatch, path string) bool {
	kind, value := pathOf(m)
	switch kind {
	case gatewayv1.PathMatchExact:
		return path == value
	case gatewayv1.PathMatchRegularExpression:
		return fits(path, value)
	default:
		prefix := strings.TrimRight(value, "/")
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
}

func equals(value, want string) bool { return value == want }

// fits says whether a whole value is one of a regular expression's.
func fits(value, pattern string) bool {
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	return err == nil && re.MatchString(value)
}
