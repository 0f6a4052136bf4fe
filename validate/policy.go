// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Operation is what is done to an object.
type Operation string

// Operations of admission.
const (
	Create Operation = "CREATE"
	Update Operation = "UPDATE"
	Delete Operation = "DELETE"
)

// PolicyWrite is one write of a network policy, of any of the three kinds.
type PolicyWrite struct {
	// Object names the policy.
	Object    mesh.Object
	Operation Operation
	// User is who writes, as the API server authenticated it.
	User string
	View *mesh.View
	// Before and After are all policies without and with the write.
	Before, After *policy.Set
}

// Policy decides about a write of a network policy. It denies, before modes, what opens a live companion to a source that could not
// reach it before; it warns (DPR109) of a write that stops a flow which a live route or caller needs, since a write that only closes
// must always be possible, and of a policy that Cilium will not accept (DPR106). What was open before is not the write's fault. It does
// not modify its arguments.
func Policy(w PolicyWrite) []mesh.Finding {
	if w.Operation == Delete && (slices.Contains(w.View.Terminating, w.Object.Namespace) || isCollector(w.User)) {
		// Refusing would hang the deletion of a namespace or of an owner (Kubernetes, garbage collection).
		return nil
	}
	after := policy.World{View: w.View, Set: w.After}
	findings := lossesOf(policy.World{View: w.View, Set: w.Before}, after, consequence(w.Operation))
	ref := policy.Ref{Kind: w.Object.Kind, Namespace: w.Object.Namespace, Name: w.Object.Name}
	if p, ok := w.After.Policy(ref); ok && w.Operation != Delete {
		findings = append(findings, policy.VoidFor(w.View, w.After, p)...)
	}
	findings = about(w.Object, findings)
	mesh.SortFindings(findings)
	return findings
}

// isCollector says whether a user deletes what Kubernetes itself wants gone. Without --use-service-account-credentials, its
// collectors have the name of the controller manager.
func isCollector(user string) bool {
	return user == "system:serviceaccount:kube-system:generic-garbage-collector" ||
		user == "system:serviceaccount:kube-system:namespace-controller" ||
		user == "system:kube-controller-manager"
}

func consequence(o Operation) string {
	if o == Delete {
		return "without it "
	}
	return "with it "
}

// lossesOf collects what a change takes from every live companion of the View. clause begins the messages.
func lossesOf(before, after policy.World, clause string) []mesh.Finding {
	var findings []mesh.Finding
	for _, g := range after.View.Ingresses {
		if g.Companion.Live {
			lost, cut := policy.LostByIngress(before, after, g)
			findings = append(findings, lostFindings(clause, lost)...)
			if len(cut) > 0 {
				findings = append(findings, cutFindings(clause, cut, neededBy(after.View, g.AppRef))...)
			}
		}
	}
	for _, a := range after.View.Apps {
		if a.Companion.Live {
			lost, cut := policy.LostByApp(before, after, a)
			findings = append(findings, lostFindings(clause, lost)...)
			if len(cut) > 0 {
				findings = append(findings, cutFindings(clause, cut, neededBy(after.View, a.AppRef))...)
			}
		}
	}
	return findings
}

func lostFindings(clause string, lost []mesh.Finding) []mesh.Finding {
	lost = slices.Clone(lost)
	for i := range lost {
		lost[i].Message = clause + lost[i].Message
	}
	return lost
}

// cutFindings are the warnings of a write that closes. They keep their severity in every mode.
func cutFindings(clause string, cut []mesh.Finding, needed string) []mesh.Finding {
	if needed == "" {
		return nil
	}
	cut = slices.Clone(cut)
	for i := range cut {
		cut[i].Code, cut[i].Severity = mesh.CodeNeededByRoute, mesh.Warn
		cut[i].Message = fmt.Sprintf("%s%s, which %s needs", clause, cut[i].Message, needed)
	}
	return cut
}

// neededBy names the route, or the number of routes, that goes through a companion: "HTTPRoute default/whoami-route"; empty if none.
func neededBy(view *mesh.View, ref mesh.AppRef) string {
	var routes []string
	for i := range view.Routes {
		if r := &view.Routes[i]; r.Ingress == ref || r.App == ref {
			routes = append(routes, r.Route.String())
		}
	}
	slices.Sort(routes)
	routes = slices.Compact(routes)
	if len(routes) > 1 {
		return fmt.Sprintf("%s and %d more", routes[0], len(routes)-1)
	}
	return strings.Join(routes, "")
}
