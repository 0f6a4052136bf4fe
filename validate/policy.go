// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"slices"

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
	findings := losses{before: policy.World{View: w.View, Set: w.Before}, after: after, clause: consequence(w.Operation)}.findings(w.View)
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
