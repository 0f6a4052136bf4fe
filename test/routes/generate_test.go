// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"fmt"
	"maps"

	"pgregory.net/rapid"
)

// drawer draws routes. A wild one draws what is refused as often as what is not.
type drawer struct{ wild bool }

// anyHTTPRoute draws a route that the API server takes: every kind of match, filter and field of HTTPRoute v1, in combinations that its
// schema and CEL allow.
func anyHTTPRoute(t *rapid.T) []byte {
	d := drawer{wild: rapid.IntRange(0, 3).Draw(t, "wild") == 0}
	rules := rapid.SliceOfN(rapid.Custom(d.rule), 1, 5).Draw(t, "rules")
	for i, rule := range rules {
		if rapid.IntRange(0, 2).Draw(t, "named") == 0 {
			rule["name"] = fmt.Sprintf("rule-%d", i)
		}
	}
	spec := map[string]any{"parentRefs": d.parents(t), "rules": rules}
	if rapid.IntRange(0, 3).Draw(t, "hosts") == 0 {
		spec["hostnames"] = []any{rapid.SampledFrom([]string{"shop.example.com", "*.example.com"}).Draw(t, "host")}
	}
	return anyObject(t, "HTTPRoute", spec)
}

func anyObject(t *rapid.T, kind string, spec map[string]any) []byte {
	metadata := map[string]any{"name": "r", "namespace": "default"}
	annotations := map[string]any{}
	if rapid.Bool().Draw(t, "annotated") {
		annotations["example.com/owner"] = "team"
	}
	if form := rapid.SampledFrom([]string{"", "", "prefix", "header"}).Draw(t, "form"); form != "" && kind == "HTTPRoute" {
		annotations["daprise.dev/invoke"] = form
	}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec, "status": map[string]any{"parents": []any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (d drawer) parents(t *rapid.T) []any {
	parent := map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "default-gateway"}
	kinds := []string{"", "", "section", "port", "two sections"}
	if d.wild {
		kinds = append(kinds, "plain", "service")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "parents") {
	case "section":
		parent["sectionName"] = "http"
	case "port":
		parent["port"] = 80
	case "two sections":
		other := maps.Clone(parent)
		parent["sectionName"], other["sectionName"] = "http", "https"
		return []any{parent, other}
	case "plain":
		other := maps.Clone(parent)
		other["name"] = "plain-gateway"
		return []any{parent, other}
	case "service":
		return []any{parent, map[string]any{"group": "", "kind": "Service", "name": "whoami"}}
	}
	return []any{parent}
}

// backends draws one Service, or several with weights.
func (d drawer) backends(t *rapid.T, services []map[string]any) []any {
	count := rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "backends")
	one := rapid.SampledFrom(services).Draw(t, "backend")
	var refs []any
	for range count {
		ref := maps.Clone(one)
		if d.wild {
			ref = maps.Clone(rapid.SampledFrom(services).Draw(t, "another"))
		}
		maps.Copy(ref, map[string]any{"group": "", "kind": "Service", "weight": rapid.IntRange(0, 9).Draw(t, "weight")})
		if d.wild && rapid.IntRange(0, 9).Draw(t, "backend filter") == 0 {
			ref["filters"] = []any{d.headerFilter(t)}
		}
		refs = append(refs, ref)
	}
	return refs
}

func (d drawer) httpServices() []map[string]any {
	services := []map[string]any{
		{"name": "whoami", "port": 80}, {"name": "whoami", "port": 80}, {"name": "cart", "port": 8000}, {"name": "stock", "namespace": "shop", "port": 8080},
		{"name": "legacy", "port": 8080},
	}
	if d.wild {
		services = append(services, map[string]any{"name": "whoami", "port": 81}, map[string]any{"name": "ledger", "port": 9000})
	}
	return services
}

// rule draws a rule. What excludes one another in the API (CEL of HTTPRouteRule) is not drawn together.
func (d drawer) rule(t *rapid.T) map[string]any {
	rule := map[string]any{}
	kind := rapid.SampledFrom([]string{"plain", "plain", "plain", "prefix", "full", "host", "redirect"}).Draw(t, "kind")
	types, most := []string{"PathPrefix", "PathPrefix", "Exact", "RegularExpression"}, 3
	if kind == "prefix" {
		types, most = types[:1], 1
	}
	if kind == "prefix" || rapid.IntRange(0, 4).Draw(t, "matched") > 0 {
		rule["matches"] = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return anyMatch(t, types) }), 1, most).Draw(t, "matches")
	}
	var filters []any
	switch kind {
	case "prefix":
		filters = append(filters, pathFilter("ReplacePrefixMatch", "replacePrefixMatch", rapid.SampledFrom([]string{"", "/", "/q", "/q/", "/q/r", "/x%20y"}).Draw(t, "to")))
	case "full":
		filters = append(filters, pathFilter("ReplaceFullPath", "replaceFullPath", rapid.SampledFrom([]string{"/", "/f", "/f/g", "/x%20y"}).Draw(t, "to")))
	case "host":
		filters = append(filters, map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{"hostname": "other.example.com"}})
	case "redirect":
		rule["filters"] = []any{map[string]any{"type": "RequestRedirect", "requestRedirect": map[string]any{"hostname": "other.example.com", "statusCode": 302}}}
		return rule
	}
	if rapid.IntRange(0, 9).Draw(t, "empty") > 0 {
		rule["backendRefs"] = d.backends(t, d.httpServices())
	}
	if filters = append(filters, d.filters(t)...); len(filters) > 0 {
		rule["filters"] = filters
	}
	maps.Copy(rule, anyExtras(t))
	return rule
}

func (d drawer) filters(t *rapid.T) []any {
	var filters []any
	if rapid.IntRange(0, 2).Draw(t, "headers") == 0 {
		filters = append(filters, d.headerFilter(t))
	}
	if rapid.IntRange(0, 9).Draw(t, "mirrored") == 0 {
		name := "legacy"
		if d.wild && rapid.Bool().Draw(t, "mirror to an app") {
			name = "cart"
		}
		filters = append(filters, map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{
			"backendRef": map[string]any{"group": "", "kind": "Service", "name": name, "port": 8080},
		}})
	}
	if rapid.IntRange(0, 9).Draw(t, "answered") == 0 {
		filters = append(filters, map[string]any{"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{
			"set": []any{map[string]any{"name": "X-Server", "value": "gone"}},
		}})
	}
	if rapid.IntRange(0, 9).Draw(t, "shared") == 0 {
		filters = append(filters, map[string]any{"type": "CORS", "cors": map[string]any{"allowOrigins": []any{"https://example.com"}, "maxAge": 5}})
	}
	if d.wild && rapid.IntRange(0, 9).Draw(t, "extended") == 0 {
		filters = append(filters, map[string]any{"type": "ExtensionRef", "extensionRef": map[string]any{"group": "example.com", "kind": "Filter", "name": "f"}})
	}
	return filters
}

func (d drawer) headerFilter(t *rapid.T) map[string]any {
	modifier := map[string]any{"add": []any{map[string]any{"name": "X-Added", "value": "<&>"}}}
	kinds := []string{"", "set", "remove", "credentials"}
	if d.wild {
		kinds = append(kinds, "dapr", "long")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "modifier") {
	case "set":
		modifier["set"] = []any{map[string]any{"name": "X-Client", "value": "c"}}
	case "remove":
		modifier["remove"] = []any{rapid.SampledFrom([]string{"X-Client", "Dapr-App-Id", "dapr-api-token"}).Draw(t, "removed")}
	case "dapr":
		modifier["set"] = []any{map[string]any{"name": "Dapr-Caller-App-Id", "value": "admin"}}
	case "credentials":
		modifier["set"] = []any{map[string]any{"name": "Authorization", "value": "Basic ZGFwci1hcHAtaWQ6Y2FydA=="}}
	case "long":
		var names []any
		for i := range rapid.IntRange(10, 16).Draw(t, "entries") {
			names = append(names, fmt.Sprintf("X-Gone-%d", i))
		}
		modifier["remove"] = names
	}
	return map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}
}

func pathFilter(kind, field, value string) map[string]any {
	return map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{"path": map[string]any{"type": kind, field: value}}}
}

func anyMatch(t *rapid.T, types []string) any {
	kind := rapid.SampledFrom(types).Draw(t, "type")
	values := []string{"/", "/a", "/a/", "/a/b", "/x%20y", "/v1.0", "/v1.0/invoke/cart.default/method/x", "/a%2Fb"}
	if kind == "RegularExpression" {
		values = []string{"/a/[0-9]+", "/.*", "/(a)/b.+"}
	}
	match := map[string]any{"path": map[string]any{"type": kind, "value": rapid.SampledFrom(values).Draw(t, "path")}}
	if rapid.IntRange(0, 3).Draw(t, "method") == 0 {
		match["method"] = rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "verb")
	}
	if rapid.IntRange(0, 3).Draw(t, "header") == 0 {
		match["headers"] = []any{map[string]any{
			"type": "Exact", "name": rapid.SampledFrom([]string{"X-Client", "X-Kind", "dapr-app-id"}).Draw(t, "header name"), "value": "a",
		}}
	}
	if rapid.IntRange(0, 3).Draw(t, "query") == 0 {
		match["queryParams"] = []any{map[string]any{"type": "Exact", "name": "v", "value": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "parameter")}}
	}
	return match
}

// anyExtras draws what no rewriting touches, and a field that our types do not know.
func anyExtras(t *rapid.T) map[string]any {
	extras := map[string]any{}
	if rapid.IntRange(0, 4).Draw(t, "timeouts") == 0 {
		extras["timeouts"] = map[string]any{"request": "10s", "backendRequest": "2s"}
	}
	if rapid.IntRange(0, 9).Draw(t, "retried") == 0 {
		extras["retry"] = map[string]any{"attempts": 2, "codes": []any{503}}
	}
	if rapid.IntRange(0, 9).Draw(t, "sticky") == 0 {
		extras["sessionPersistence"] = map[string]any{"sessionName": "s", "type": "Cookie"}
	}
	if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
		extras["unknown"] = map[string]any{"deep": []any{json.Number("9007199254740993"), nil, true, 1.5}}
	}
	return extras
}

// anyGRPCRoute draws a GRPCRoute that the API server takes.
func anyGRPCRoute(t *rapid.T) []byte {
	d := drawer{wild: rapid.IntRange(0, 3).Draw(t, "wild") == 0}
	rules := rapid.SliceOfN(rapid.Custom(d.grpcRule), 1, 4).Draw(t, "rules")
	return anyObject(t, "GRPCRoute", map[string]any{"parentRefs": d.parents(t), "rules": rules})
}

func (d drawer) grpcRule(t *rapid.T) map[string]any {
	services := []map[string]any{{"name": "ledger", "port": 9000}, {"name": "audit", "port": 9001}, {"name": "legacy", "port": 8080}}
	if d.wild {
		services = append(services, map[string]any{"name": "whoami", "port": 80}, map[string]any{"name": "ledger", "port": 9009})
	}
	rule := map[string]any{"backendRefs": d.backends(t, services)}
	if rapid.IntRange(0, 3).Draw(t, "matched") > 0 {
		rule["matches"] = rapid.SliceOfN(rapid.Custom(anyGRPCMatch), 1, 3).Draw(t, "matches")
	}
	if filters := d.filters(t); len(filters) > 0 {
		rule["filters"] = filters
	}
	return rule
}

func anyGRPCMatch(t *rapid.T) any {
	match := map[string]any{}
	switch rapid.SampledFrom([]string{"none", "service", "method", "both", "pattern"}).Draw(t, "method") {
	case "service":
		match["method"] = map[string]any{"type": "Exact", "service": "ledger.v1.Ledger"}
	case "method":
		match["method"] = map[string]any{"type": "Exact", "method": "Post"}
	case "both":
		match["method"] = map[string]any{"type": "Exact", "service": "ledger.v1.Ledger", "method": rapid.SampledFrom([]string{"Post", "Get"}).Draw(t, "called")}
	case "pattern":
		match["method"] = map[string]any{"type": "RegularExpression", "service": "ledger.+", "method": ".*"}
	}
	if rapid.IntRange(0, 2).Draw(t, "header") == 0 {
		match["headers"] = []any{map[string]any{"type": "Exact", "name": rapid.SampledFrom([]string{"x-tenant", "dapr-app-id"}).Draw(t, "header name"), "value": "a"}}
	}
	return match
}
