// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// target is where a direct rule is pointed, and in which form.
type target struct {
	// companion is the ingress companion's Service, port its port.
	companion mesh.Name
	port      int32
	app       mesh.AppRef
	form      mesh.Invoke
	// split is set for a rule that is divided between several apps, always in header form: for each backendRef the Service in front of
	// the companion and the app, "ingress-dapr-to-whoami=whoami.default", separated by spaces. companion and app are then those of the
	// first. It is a string so that targets compare.
	split string
}

// share is where one backendRef of a divided rule goes.
type share struct {
	service string
	app     string
}

// withShares is a target for a rule that is divided. It is one in header form.
func (t target) withShares(shares []share) target {
	var b strings.Builder
	for i, s := range shares {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.service + "=" + s.app)
	}
	t.split, t.form = b.String(), mesh.InvokeHeader
	return t
}

// share is that of one backendRef. A target that is not divided gives every backendRef the same.
func (t target) share(backend int) share {
	if t.split == "" {
		return share{service: t.companion.Name}
	}
	fields := strings.Fields(t.split)
	if backend >= len(fields) {
		return share{}
	}
	service, app, _ := strings.Cut(fields[backend], "=")
	return share{service: service, app: app}
}

// through rewrites a direct rule of a route in a namespace: one rule, or in prefix form one for each match where the paths differ.
// It decides nothing but the shape, so that a record can be verified by the same function that wrote it. A reason is given where
// the form cannot express the rule. The rule is not modified; what does not change is shared with its tree.
func through(kind, namespace string, r *rule, t target) (parts []map[string]any, reason string) {
	paths := []pathRewrite{{match: allMatches}}
	if t.form == mesh.InvokePrefix {
		if paths, reason = prefixForm(&r.ruleFields, t.app); reason != "" {
			return nil, reason
		}
	}
	backends := companionBackends(namespace, list(r.tree["backendRefs"]), t)
	matches := list(r.tree["matches"])
	if kind == mesh.KindHTTPRoute {
		matches = defaultMatches(matches)
	}
	for i, path := range paths {
		part := maps.Clone(r.tree)
		part["backendRefs"] = backends
		part["filters"] = invokingFilters(list(r.tree["filters"]), path, t)
		switch {
		case path.match != allMatches:
			part["matches"] = []any{matches[path.match]}
		case len(matches) > 0:
			part["matches"] = matches
		}
		if i > 0 {
			delete(part, "name") // unique within a route: the first part keeps it
		}
		parts = append(parts, part)
	}
	return parts, ""
}

// companionBackends points backendRefs at the companion, with the fields that the API server would default written out, so that
// what is stored is what was written.
func companionBackends(namespace string, refs []any, t target) []any {
	backends := make([]any, 0, len(refs))
	for i, ref := range refs {
		to := t.share(i)
		backend := make(map[string]any, len(object(ref))+1)
		maps.Copy(backend, object(ref))
		backend["group"] = ""
		backend["kind"] = "Service"
		backend["name"] = to.service
		backend["port"] = int64(t.port)
		delete(backend, "namespace")
		if t.companion.Namespace != namespace {
			backend["namespace"] = t.companion.Namespace
		}
		if _, ok := backend["weight"]; !ok {
			backend["weight"] = int64(1)
		}
		if to.app != "" {
			backend["filters"] = append(slices.Clone(list(backend["filters"])), namingFilter(to.app))
		}
		backends = append(backends, backend)
	}
	return backends
}

// namingFilter names the target app of one backendRef. Of several filters on a backendRef Cilium takes the last one only (facts:
// section 3), so it is the one filter there.
func namingFilter(app string) map[string]any {
	return map[string]any{
		"type": string(gatewayv1.HTTPRouteFilterRequestHeaderModifier),
		"requestHeaderModifier": map[string]any{
			"set": []any{map[string]any{"name": mesh.HeaderAppID, "value": app}},
		},
	}
}

// defaultMatches writes out what the API server would default in matches. Those that are no trees say everything already (matchTrees).
func defaultMatches(matches []any) []any {
	if len(matches) == 0 {
		matches = []any{nil}
	}
	filled := make([]any, 0, len(matches))
	for _, match := range matches {
		if _, ok := match.(json.RawMessage); ok {
			filled = append(filled, match)
			continue
		}
		m := object(match)
		defaulted := map[string]any{"type": string(gatewayv1.PathMatchPathPrefix), "value": "/"}
		maps.Copy(defaulted, object(m["path"]))
		filled = append(filled, withKey(m, "path", defaulted))
	}
	return filled
}

// invokingFilters composes the filters of a rule with those of its invocation: at most one URLRewrite and one
// RequestHeaderModifier, as the Gateway API demands. The user's own come first and keep what they say.
func invokingFilters(filters []any, path pathRewrite, t target) []any {
	composed := slices.Clone(filters)
	if path.modifier != "" {
		field := "replacePrefixMatch"
		if path.modifier == gatewayv1.FullPathHTTPPathModifier {
			field = "replaceFullPath"
		}
		modifier := map[string]any{"type": string(path.modifier), field: path.value}
		composed = withFilter(composed, gatewayv1.HTTPRouteFilterURLRewrite, "urlRewrite", func(rewrite map[string]any) map[string]any {
			return withKey(rewrite, "path", modifier)
		})
	}
	return withFilter(composed, gatewayv1.HTTPRouteFilterRequestHeaderModifier, "requestHeaderModifier", func(modifier map[string]any) map[string]any {
		return guardedHeaders(modifier, t)
	})
}

// withFilter replaces what the filter of a type says, or appends one.
func withFilter(filters []any, kind gatewayv1.HTTPRouteFilterType, field string, change func(map[string]any) map[string]any) []any {
	for i := range filters {
		filter := object(filters[i])
		if filter["type"] == string(kind) {
			filters[i] = withKey(filter, field, change(object(filter[field])))
			return filters
		}
	}
	return append(filters, map[string]any{"type": string(kind), field: change(nil)})
}

// guardedHeaders takes from clients the headers by which they could choose target or caller, and in header form names the target. In a
// divided rule the backendRefs name it: the rule neither sets nor removes that header, since Envoy applies a rule's changes after those
// of a weighted cluster.
func guardedHeaders(modifier map[string]any, t target) map[string]any {
	removed := slices.Clone(list(modifier["remove"]))
	if t.form == mesh.InvokeHeader {
		removed = slices.DeleteFunc(removed, func(r any) bool { return equalHeader(r, mesh.HeaderAppID) })
	}
	for _, name := range mesh.DaprHeaders() {
		if t.form == mesh.InvokeHeader && name == mesh.HeaderAppID {
			continue
		}
		if !slices.ContainsFunc(removed, func(r any) bool { return equalHeader(r, name) }) {
			removed = append(removed, name)
		}
	}
	guarded := withKey(modifier, "remove", removed)
	if t.form == mesh.InvokeHeader && t.split == "" {
		set := slices.Clone(list(modifier["set"]))
		guarded["set"] = append(set, map[string]any{"name": mesh.HeaderAppID, "value": t.app.String()})
	}
	return guarded
}

// equalHeader says whether a tree's node is the name of a header, whatever its case.
func equalHeader(node any, name string) bool {
	s, ok := node.(string)
	return ok && strings.EqualFold(s, name)
}

// withKey is a copy of a map with one key set.
func withKey(m map[string]any, key string, value any) map[string]any {
	changed := make(map[string]any, len(m)+1)
	maps.Copy(changed, m)
	changed[key] = value
	return changed
}
