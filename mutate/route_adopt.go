// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// adopt reads a rule that daprise did not make. A rule that names no companion is the user's as it is. One that goes through the
// companion of a Gateway of this route, and says which app it invokes at which path, is read as the direct rule of that meaning: to
// the app's own Service, and judged as such from there on. Any other rule that names a companion's Service is refused: it would be a
// way around all that is checked on direct rules.
func (m *mutation) adopt(r *rule, index int) (direct, error) {
	d := direct{rule: r, from: index, to: index + 1}
	service, field := m.namedCompanion(r)
	if field == "" {
		return d, nil
	}
	field = fmt.Sprintf("spec.rules[%d].%s", index, field)
	if !strings.Contains(field, ".backendRefs[") {
		d.deny = m.finding(mesh.CodeCompanionService, field,
			fmt.Sprintf("the filter sends requests to Service %s, which belongs to a companion", service),
			"Send them to a Service outside the mesh.")
		return d, nil
	}
	t, apps, problem := m.adoptable(r, service)
	if problem != "" {
		d.deny = m.finding(mesh.CodeCompanionService, field,
			fmt.Sprintf("the rule names Service %s, which belongs to a companion, and %s", service, problem),
			"Name the app's own Service in backendRefs: the way through its companion is written for you.")
		return d, nil
	}
	if err := r.decodeTree(); err != nil {
		return d, err
	}
	raw, err := encode(directTree(m.namespace, r, t, apps))
	if err != nil {
		return d, err
	}
	d.undone = true
	d.rule, err = decodeRule(m.kind, raw)
	return d, err
}

// namedCompanion finds the first place where a rule names a companion's Service. Backends come last, so that a rule whose only
// fault is that it is an invocation is told from one that also mirrors to a companion.
func (m *mutation) namedCompanion(r *rule) (mesh.Name, string) {
	refs := filterRefs(r.Filters, "filters")
	for i := range r.BackendRefs {
		refs = append(refs, filterRefs(r.BackendRefs[i].Filters, fmt.Sprintf("backendRefs[%d].filters", i))...)
	}
	for _, ref := range refs {
		if service, ok := mesh.BackendService(m.namespace, ref.ref); ok && m.view.IsCompanionService(service) {
			return service, ref.field
		}
	}
	for i := range r.BackendRefs {
		service, ok := mesh.BackendService(m.namespace, r.BackendRefs[i].BackendObjectReference)
		if ok && m.view.IsCompanionService(service) {
			return service, fmt.Sprintf("backendRefs[%d]", i)
		}
	}
	return mesh.Name{}, ""
}

// filterRef is a Service that a filter sends requests to.
type filterRef struct {
	ref   gatewayv1.BackendObjectReference
	field string
}

func filterRefs(filters []gatewayv1.HTTPRouteFilter, field string) []filterRef {
	var refs []filterRef
	for i := range filters {
		if mirror := filters[i].RequestMirror; mirror != nil {
			refs = append(refs, filterRef{mirror.BackendRef, fmt.Sprintf("%s[%d].requestMirror.backendRef", field, i)})
		}
		if auth := filters[i].ExternalAuth; auth != nil {
			refs = append(refs, filterRef{auth.BackendRef, fmt.Sprintf("%s[%d].externalAuth.backendRef", field, i)})
		}
	}
	return refs
}

// adoptable checks a rule that names a companion's Service as a backend: where it goes, and the app that each of its backendRefs invokes,
// or what is wrong with it.
func (m *mutation) adoptable(r *rule, service mesh.Name) (t target, apps []mesh.App, problem string) {
	ingress, problem := m.adoptableIngress(r, service)
	if problem != "" {
		return t, nil, problem
	}
	if i, problem := malformed(r.Filters); problem != "" {
		return t, nil, fmt.Sprintf("of filters[%d]: %s", i, problem)
	}
	t, ok := namedTarget(m.namespace, r)
	if !ok {
		return t, nil, "it does not name one app in Dapr's form (/v1.0/invoke/<app-id>.<namespace>/method, or the header dapr-app-id)"
	}
	if t.port != m.companionPort() {
		return t, nil, fmt.Sprintf("its port is %d instead of %d", t.port, m.companionPort())
	}
	for i := range r.BackendRefs {
		invocation, _ := mesh.BackendInvocation(r.Filters, r.BackendRefs[i].Filters)
		app, ok := m.view.App(invocation.App)
		if !ok {
			return t, nil, fmt.Sprintf("app %q, which it invokes, is not enrolled", invocation.App)
		}
		named, _ := mesh.BackendService(m.namespace, r.BackendRefs[i].BackendObjectReference)
		if !ingress.Fronts(named, app.AppRef) || t.split != "" && named.Name != mesh.SplitServiceName(ingress.AppRef, app.AppRef) {
			return t, nil, fmt.Sprintf("Service %s is not the one for app %q, which it invokes", named, app.AppRef)
		}
		apps = append(apps, app)
	}
	if t.form == mesh.InvokePrefix && !invokesPath(r) {
		return t, nil, "its match and its URLRewrite do not fit together: ReplacePrefixMatch needs one match of type PathPrefix"
	}
	return t, apps, ""
}

// adoptableIngress finds the one enrolled Gateway of this route whose companion takes the rule's requests.
func (m *mutation) adoptableIngress(r *rule, service mesh.Name) (ingress mesh.Ingress, problem string) {
	fronts := func(g mesh.Ingress, name mesh.Name) bool {
		return g.Fronts(name, mesh.AppRef{}) || slices.ContainsFunc(m.view.Apps, func(a mesh.App) bool { return g.Fronts(name, a.AppRef) })
	}
	i := slices.IndexFunc(m.view.Ingresses, func(g mesh.Ingress) bool { return fronts(g, service) })
	if i < 0 {
		return ingress, "only the companions of Gateways take requests from routes"
	}
	ingress = m.view.Ingresses[i]
	gateway := mesh.Name{Namespace: ingress.Namespace, Name: ingress.Gateway}
	if len(m.parents.Gateways) != 1 || m.parents.Gateways[0] != gateway || len(m.parents.Services) > 0 {
		return ingress, fmt.Sprintf("the companion belongs to Gateway %s, which is not the one parent of this route", gateway)
	}
	for b := range r.BackendRefs {
		if other, ok := mesh.BackendService(m.namespace, r.BackendRefs[b].BackendObjectReference); !ok || !fronts(ingress, other) {
			return ingress, fmt.Sprintf("backend %q beside it is another", r.BackendRefs[b].Name)
		}
	}
	return ingress, ""
}

// invokesPath says whether the matches of a rule in prefix form can be given back to a direct rule.
func invokesPath(r *rule) bool {
	path := userPath(r.Filters)
	if path == nil || path.ReplacePrefixMatch == nil {
		return path != nil
	}
	if len(r.Matches) != 1 {
		return len(r.Matches) == 0
	}
	return r.Matches[0].pathType == gatewayv1.PathMatchPathPrefix
}

// directTree is a rule through a companion as the user would have written it without the mesh; apps are those of its backendRefs.
func directTree(namespace string, r *rule, t target, apps []mesh.App) map[string]any {
	tree := maps.Clone(r.tree)
	var backends []any
	for i, ref := range list(r.tree["backendRefs"]) {
		backend := companionBackends(namespace, []any{ref}, target{
			companion: mesh.Name{Namespace: apps[i].Namespace, Name: apps[i].Service}, port: apps[i].Port,
		})
		backends = append(backends, backend...)
	}
	if t.split != "" {
		unnamed(backends)
	}
	tree["backendRefs"] = backends
	filters := make([]any, 0, len(list(r.tree["filters"])))
	for _, node := range list(r.tree["filters"]) {
		filter := object(node)
		switch filter["type"] {
		case string(gatewayv1.HTTPRouteFilterURLRewrite):
			if t.form == mesh.InvokePrefix {
				filter = directRewrite(filter, r)
			}
		case string(gatewayv1.HTTPRouteFilterRequestHeaderModifier):
			filter = directHeaders(filter)
		}
		if filter != nil {
			filters = append(filters, filter)
		}
	}
	tree["filters"] = filters
	if len(filters) == 0 {
		delete(tree, "filters")
	}
	if invocation, _ := mesh.RuleInvocation(r.Filters); t.form == mesh.InvokePrefix && strings.Trim(invocation.Path, "/") == "" && len(r.Matches) == 1 && userPath(r.Filters).ReplacePrefixMatch != nil {
		tree["matches"] = unslashed(r)
	}
	return tree
}

// unslashed are the matches of a rule of one match, whose prefix is taken away, without the slash at its end: it means nothing, but that Cilium would
// leave a path alone that has none there.
func unslashed(r *rule) any {
	matches := list(r.tree["matches"])
	if len(r.Matches[0].path) < 2 || !strings.HasSuffix(r.Matches[0].path, "/") {
		return r.tree["matches"]
	}
	match := object(matches[0])
	if raw, ok := matches[0].(json.RawMessage); ok {
		if kjson.UnmarshalCaseSensitivePreserveInts(raw, &match) != nil {
			return matches // it was decoded before
		}
	}
	path := withKey(object(match["path"]), "value", strings.TrimRight(r.Matches[0].path, "/"))
	return []any{withKey(match, "path", path)}
}

// unnamed takes from backendRefs, which are changed, the filters by which they name their apps.
func unnamed(backends []any) {
	for i := range backends {
		var left []any
		backend := object(backends[i])
		for _, node := range list(backend["filters"]) {
			filter := object(node)
			if filter["type"] == string(gatewayv1.HTTPRouteFilterRequestHeaderModifier) {
				filter = directHeaders(filter)
			}
			if filter != nil {
				left = append(left, filter)
			}
		}
		if backend["filters"] = left; len(left) == 0 {
			delete(backend, "filters")
		}
	}
}

// directRewrite is a URLRewrite without the invocation path: what the rule itself wants of the path, or nil.
func directRewrite(filter map[string]any, r *rule) map[string]any {
	rewrite := maps.Clone(object(filter["urlRewrite"]))
	invocation, _ := mesh.RuleInvocation(r.Filters)
	match := anyMatch()
	if len(r.Matches) == 1 {
		match = r.Matches[0]
	}
	path := userPath(r.Filters)
	switch {
	case path.ReplacePrefixMatch != nil && strings.Trim(invocation.Path, "/") == strings.Trim(match.path, "/"),
		path.ReplaceFullPath != nil && match.pathType == gatewayv1.PathMatchExact && invocation.Path == match.path:
		delete(rewrite, "path")
	case path.ReplacePrefixMatch != nil:
		rewrite["path"] = map[string]any{
			"type": string(gatewayv1.PrefixMatchHTTPPathModifier), "replacePrefixMatch": directPrefix(invocation.Path, match.path),
		}
	default:
		rewrite["path"] = map[string]any{
			"type": string(gatewayv1.FullPathHTTPPathModifier), "replaceFullPath": "/" + strings.TrimLeft(invocation.Path, "/"),
		}
	}
	if len(rewrite) == 0 {
		return nil
	}
	return withKey(filter, "urlRewrite", rewrite)
}

// directPrefix is the user's own replacement of a prefix, of what follows an invocation path. Slashes at its end mean nothing, with one
// exception: Cilium up to 1.18 puts none between what replaces "/" and what follows it, and takes one away, so that the second of two is
// what keeps them apart.
func directPrefix(replacement, prefix string) string {
	if strings.Trim(prefix, "/") == "" && strings.HasSuffix(replacement, "//") {
		return "/" + strings.TrimLeft(replacement, "/")
	}
	return "/" + strings.Trim(replacement, "/")
}

// directHeaders is a RequestHeaderModifier without what an invocation needs, or nil.
func directHeaders(filter map[string]any) map[string]any {
	modifier := maps.Clone(object(filter["requestHeaderModifier"]))
	removed := slices.DeleteFunc(slices.Clone(list(modifier["remove"])), func(node any) bool {
		name, ok := node.(string)
		return ok && mesh.IsDaprHeader(name)
	})
	set := slices.DeleteFunc(slices.Clone(list(modifier["set"])), func(node any) bool {
		return equalHeader(object(node)["name"], mesh.HeaderAppID)
	})
	for field, left := range map[string][]any{"remove": removed, "set": set} {
		modifier[field] = left
		if len(left) == 0 {
			delete(modifier, field)
		}
	}
	if len(modifier) == 0 {
		return nil
	}
	return withKey(filter, "requestHeaderModifier", modifier)
}
