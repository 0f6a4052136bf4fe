// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Namespace decides about a change of a namespace's labels, by which policies may select: it denies, before modes, a change by which a
// live companion loses its isolation, and warns of one that stops a flow which a live route needs. before and after differ in the
// labels of the namespace alone. Changing daprise.dev/coverage or daprise.dev/policies is the platform's right and needs no
// permission. It does not modify its arguments.
func Namespace(before, after *mesh.View, set *policy.Set, namespace string) []mesh.Finding {
	was, known := before.Namespaces[namespace]
	is, stays := after.Namespaces[namespace]
	if known && stays && !set.ReadsNamespaceLabels(was, is) {
		// Most labels are none of network policy's, and to look at every companion of a cluster takes long.
		return nil
	}
	object := mesh.Object{APIVersion: "v1", Kind: "Namespace", Name: namespace}
	change := losses{before: policy.World{View: before, Set: set}, after: policy.World{View: after, Set: set}, clause: "with these labels "}
	findings := about(object, change.findings(before))
	mesh.SortFindings(findings)
	return findings
}
