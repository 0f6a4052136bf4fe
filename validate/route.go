// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	kjson "sigs.k8s.io/json"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// RouteWrite is one write of a route, as mutated.
type RouteWrite struct {
	// Kind is HTTPRoute or GRPCRoute.
	Kind string
	// Object is the new object's JSON; OldObject is empty for CREATE.
	Object    []byte
	OldObject []byte
	// Read is the Object, where it was read before; nil where it was not.
	Read *mesh.RouteObject
}

// Route decides whether a route is admitted. It checks properties of the route as it would be stored and never compares it with a
// rewrite, so that versions of daprise accept each other's output: whatever goes to a companion goes to the ingress companion of the
// route's own Gateway, for one enrolled app whose Service the route may refer to, without the headers by which a client could choose
// otherwise; and every companion on the way is covered. The findings have their severity before modes (ApplyModes).
//
// An update that leaves the spec and our annotations as they were, but for daprise.dev/revision, is never refused: what would deny
// warns. An object that is being deleted has no findings.
//
// An error means that the request could not be decoded; it is never a refusal. Route does not modify its arguments.
func Route(w policy.World, r RouteWrite) ([]mesh.Finding, error) {
	stored, err := readRoute(w.View, r)
	if err != nil {
		return nil, err
	}
	if stored.deleted {
		return nil, nil
	}
	var findings []mesh.Finding
	for _, rule := range []func(*routeFacts) []mesh.Finding{
		companionServices, invocationHeaders, invocationGrants, invocationBackends, routeParents, optOut, directRules, retargets,
	} {
		findings = append(findings, rule(stored)...)
	}
	findings = append(findings, stored.coverage(w)...)
	if len(r.OldObject) > 0 && mesh.Denied(findings) {
		unchanged, err := sameRoute(r)
		if err != nil {
			return nil, err
		}
		if unchanged {
			findings = warnInstead(findings)
		}
	}
	mesh.SortFindings(findings)
	return findings, nil
}

// routeFacts is what the rules read of a route.
type routeFacts struct {
	view        *mesh.View
	kind        string
	object      mesh.Object
	namespace   string
	annotations map[string]string
	parents     mesh.RouteParents
	rules       []mesh.RouteObjectRule
	deleted     bool
	// invocations are the backendRefs that name companions' Services, in order.
	invocations []invocation
}

// invocation is a backendRef that goes through an ingress companion and says for which app, by its rule's filters or its own.
type invocation struct {
	rule    int
	backend int
	// divided says that the backendRef itself names the app, because its rule is divided between several.
	divided bool
	ingress mesh.Ingress
	app     mesh.App
	mesh.Invocation
}

func readRoute(view *mesh.View, write RouteWrite) (*routeFacts, error) {
	kind, r := write.Kind, write.Read
	if r == nil {
		var err error
		if r, err = mesh.ReadRoute(write.Object); err != nil {
			return nil, fmt.Errorf("decode %s: %w", kind, err)
		}
	}
	facts := &routeFacts{
		view:        view,
		kind:        kind,
		object:      mesh.Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: kind, Namespace: r.Namespace, Name: r.Name},
		namespace:   r.Namespace,
		annotations: r.Annotations,
		parents:     mesh.Parents(r.Namespace, r.ParentRefs),
		rules:       r.Rules,
		deleted:     r.Deleted,
	}
	for i := range facts.rules {
		for b := range facts.rules[i].BackendRefs {
			if found, ok := facts.invocation(i, b); ok {
				facts.invocations = append(facts.invocations, found)
			}
		}
	}
	return facts, nil
}

// invocation reads a backendRef as an invocation of one enrolled app through an ingress companion.
func (r *routeFacts) invocation(rule, backend int) (invocation, bool) {
	ref := &r.rules[rule].BackendRefs[backend]
	service, ok := mesh.BackendService(r.namespace, ref.BackendObjectReference)
	if !ok {
		return invocation{}, false
	}
	found, ok := mesh.BackendInvocation(r.rules[rule].Filters, ref.Filters)
	if !ok {
		return invocation{}, false
	}
	i := slices.IndexFunc(r.view.Ingresses, func(g mesh.Ingress) bool { return g.Fronts(service, found.App) })
	if i < 0 {
		return invocation{}, false
	}
	app, ok := r.view.App(found.App)
	_, divided := mesh.RuleInvocation(ref.Filters)
	return invocation{rule: rule, backend: backend, divided: divided, ingress: r.view.Ingresses[i], app: app, Invocation: found}, ok
}

// eachApp are the invocations with one for each rule and app: backendRefs of one app say the same.
func (r *routeFacts) eachApp() []invocation {
	var each []invocation
	for _, n := range r.invocations {
		if !slices.ContainsFunc(each, func(o invocation) bool { return o.rule == n.rule && o.app.AppRef == n.app.AppRef }) {
			each = append(each, n)
		}
	}
	return each
}

// eachRule are the invocations with one for each rule.
func (r *routeFacts) eachRule() []invocation {
	return slices.CompactFunc(slices.Clone(r.invocations), func(a, b invocation) bool { return a.rule == b.rule })
}

// coverage is what is missing on the way of the route's invocations. What the route targets as it is stored today does not count.
func (r *routeFacts) coverage(w policy.World) []mesh.Finding {
	targets := make([]mesh.RouteTarget, 0, len(r.invocations))
	for _, n := range r.invocations {
		target := mesh.RouteTarget{Route: r.object, Ingress: n.ingress.AppRef, App: n.app.AppRef}
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	view := *w.View
	view.Routes = slices.DeleteFunc(slices.Clone(w.View.Routes), func(t mesh.RouteTarget) bool { return r.stores(t) })
	return Coverage(policy.World{View: &view, Set: w.Set, Answers: w.Answers}, r.object, targets)
}

// stores says whether a target of the View is this route's own, as it is stored.
func (r *routeFacts) stores(t mesh.RouteTarget) bool {
	return t.Route.Kind == r.kind && t.Route.Namespace == r.namespace && t.Route.Name == r.object.Name
}

// finding is a denial about the route.
func (r *routeFacts) finding(code mesh.Code, field, message, fix string) mesh.Finding {
	return mesh.Finding{Code: code, Severity: mesh.Deny, Object: r.object, Field: field, Message: message, Fix: fix}
}

// sameRoute says whether an update leaves everything as it was that is judged.
func sameRoute(r RouteWrite) (bool, error) {
	type judged struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec map[string]any `json:"spec"`
	}
	var sides [2][]byte
	for i, data := range [][]byte{r.OldObject, r.Object} {
		var j judged
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &j); err != nil {
			return false, fmt.Errorf("decode %s: %w", r.Kind, err)
		}
		ours := map[string]string{}
		for _, key := range []string{mesh.AnnotationOriginal, mesh.AnnotationEnabled, mesh.AnnotationInvoke} {
			ours[key] = j.Metadata.Annotations[key]
		}
		canonical, err := json.Marshal([]any{ours, j.Spec})
		if err != nil {
			return false, fmt.Errorf("compare %s: %w", r.Kind, err)
		}
		sides[i] = canonical
	}
	return bytes.Equal(sides[0], sides[1]), nil
}

// warnInstead lets findings pass that an update did not cause. It does not modify them.
func warnInstead(findings []mesh.Finding) []mesh.Finding {
	findings = slices.Clone(findings)
	for i := range findings {
		if findings[i].Severity == mesh.Deny {
			findings[i].Severity = mesh.Warn
		}
	}
	return findings
}
