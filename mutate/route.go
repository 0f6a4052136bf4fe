// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// Route mutates an HTTPRoute or GRPCRoute: first it undoes, rule by rule, what an earlier mutation did, then it points each rule that
// is in the mesh at the ingress companion of its Gateway. A rule is in the mesh when the route attaches to an enrolled Gateway and
// the rule's backends are an enrolled app. What cannot be rewritten with the same meaning is refused; what is not in the mesh stays as
// it is. The decision is idempotent and does not modify its arguments.
//
// A rule that still goes straight to its app in the stored route is rewritten only when both companions are ready, and left with a
// warning until then (mesh.CodeJoining). One that already goes through its companion stays so.
//
// An update that leaves the rules, the parents and our annotations as they were is never refused: what would deny warns instead, and
// the rule concerned stays as it is stored, or, if its ReferenceGrant is gone, is restored.
//
// An error means that the request could not be decoded or a bug; it is never a refusal.
func Route(req Request, view *mesh.View) (Result, error) {
	stored, err := decodeRoute(req.Kind, req.Object)
	if err != nil {
		return Result{}, err
	}
	if stored.Metadata.Deleted {
		return Result{}, nil
	}
	m := &mutation{
		kind:      req.Kind,
		namespace: stored.Metadata.Namespace,
		route:     stored,
		view:      view,
		parents:   mesh.Parents(stored.Metadata.Namespace, stored.Spec.ParentRefs),
		object: mesh.Object{
			APIVersion: gatewayv1.GroupVersion.String(), Kind: req.Kind,
			Namespace: stored.Metadata.Namespace, Name: stored.Metadata.Name,
		},
	}
	if len(req.OldObject) > 0 {
		if m.old, err = decodeRoute(req.Kind, req.OldObject); err != nil {
			return Result{}, err
		}
	}
	return m.run()
}

// mutation is one decision about a route.
type mutation struct {
	kind      string
	namespace string
	object    mesh.Object
	// route is the object as received, old the stored one or nil.
	route, old *route
	view       *mesh.View
	parents    mesh.RouteParents
}

func (m *mutation) run() (Result, error) {
	keys := m.checkKeys()
	if mesh.Denied(keys) {
		return Result{Findings: keys}, nil
	}
	rules, err := m.undo()
	if err != nil {
		return Result{}, err
	}
	plans, findings, err := m.plan(rules)
	if err != nil {
		return Result{}, err
	}
	outcome, err := m.assemble(plans)
	if err != nil {
		return Result{}, err
	}
	tooLarge := mesh.Denied(outcome.findings)
	if tooLarge && m.unchanged() {
		for i := range outcome.findings {
			outcome.findings[i].Severity = mesh.Warn
		}
	}
	findings = append(append(findings, keys...), outcome.findings...)
	mesh.SortFindings(findings)
	if tooLarge || mesh.Denied(findings) {
		return Result{Findings: findings}, nil
	}
	return Result{Patch: m.patch(outcome), Findings: findings}, nil
}

// companionPort is the port of an ingress companion's Service for the kind of route.
func (m *mutation) companionPort() int32 {
	if m.kind == mesh.KindGRPCRoute {
		return mesh.PortGRPC
	}
	return mesh.PortHTTP
}

// optedOut says whether the route asks to stay outside the mesh.
func (m *mutation) optedOut() bool {
	return m.route.Metadata.Annotations[mesh.AnnotationEnabled] == "false"
}

// finding is a denial about the route.
func (m *mutation) finding(code mesh.Code, field, message, fix string) *mesh.Finding {
	return &mesh.Finding{Code: code, Severity: mesh.Deny, Object: m.object, Field: field, Message: message, Fix: fix}
}

// warning is a finding that admits.
func (m *mutation) warning(code mesh.Code, field, message, fix string) mesh.Finding {
	f := m.finding(code, field, message, fix)
	f.Severity = mesh.Warn
	return *f
}

// ruleField is the path of a rule, or of something in it.
func ruleField(index int, field string) string {
	if field == "" {
		return fmt.Sprintf("spec.rules[%d]", index)
	}
	return fmt.Sprintf("spec.rules[%d].%s", index, field)
}
