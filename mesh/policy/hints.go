// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// hints explain findings: a policy that would have helped is void, or its selector misses the companion by a letter or two.
func (j *judge) hints() []mesh.Finding {
	var findings []mesh.Finding
	for _, namespace := range []string{"", j.c.ref.Namespace} {
		for _, p := range j.set.Policies(namespace) {
			if f, ok := j.voided(p); ok {
				findings = append(findings, f)
			}
			if f, ok := j.misspelt(p); ok {
				findings = append(findings, f)
			}
			if f, ok := j.nowhere(p); ok {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

func (j *judge) voided(p *Policy) (mesh.Finding, bool) {
	reason, void := j.set.VoidIn(p)
	if !void || !p.selects(j.self().id) {
		return mesh.Finding{}, false
	}
	f := j.finding(mesh.CodePolicyVoid, fmt.Sprintf("%s selects %s and has no effect: Cilium rejects it, since %s", p.ref.Object(), j.c, reason))
	f.Severity, f.Fix = mesh.Warn, "Correct that rule: one invalid rule voids the whole object."
	return f, true
}

// misspelt looks for a subject's app ID that no app or ingress of the cluster has, and the companion's almost is.
func (j *judge) misspelt(p *Policy) (mesh.Finding, bool) {
	for _, n := range p.named {
		if n.id == j.c.ref.ID || !almost(n.id, j.c.ref.ID) || known(j.view, n.id) {
			continue
		}
		f := j.finding(mesh.CodeSelectorTypo, fmt.Sprintf("%s selects %s=%s, which is no app ID here: %q is meant?", p.ref.Object(), n.key, n.id, j.c.ref.ID))
		f.Severity, f.Fix = mesh.Warn, fmt.Sprintf("Write %s: %s in its endpointSelector.", n.key, j.c.ref.ID)
		return f, true
	}
	return mesh.Finding{}, false
}

// slips is how many letters may be wrong in a name that is still taken for another.
const slips = 2

// named is an app ID that a policy's subject names, by one of the two labels that carry it.
type named struct{ key, id string }

// namedIn are those of a policy's subjects.
func namedIn(subjects []selector) []named {
	var list []named
	for _, s := range subjects {
		for _, r := range s {
			if (r.key != mesh.AnnotationAppID && r.key != mesh.LabelCompanion) || r.op != in {
				continue
			}
			for _, id := range r.values {
				list = append(list, named{r.key, id})
			}
		}
	}
	return list
}

// nowhere looks for a port that an ingress rule for the companion names and that its pods do not have.
func (j *judge) nowhere(p *Policy) (mesh.Finding, bool) {
	id := j.self().id
	for _, r := range p.force() {
		if r.direction != ingress || r.node || !r.subject.matches(id) {
			continue
		}
		for _, port := range r.ports {
			if _, known := j.c.endpoint.Ports[port.name]; port.name == "" || known {
				continue
			}
			f := j.finding(mesh.CodeNamedPort, fmt.Sprintf("%s of %s names port %s, which the pods of %s do not have", r.field(), p.ref.Object(), port.name, j.c))
			f.Severity, f.Fix = mesh.Warn, "Write the number of the port, or one of the names dapr-http, dapr-grpc, dapr-internal and dapr-metrics."
			return f, true
		}
	}
	return mesh.Finding{}, false
}

// known says whether any app or ingress of the cluster has an app ID.
func known(view *mesh.View, id string) bool {
	_, found := slices.BinarySearch(view.AppIDs, id)
	return found ||
		slices.ContainsFunc(view.Apps, func(a mesh.App) bool { return a.ID == id }) ||
		slices.ContainsFunc(view.Ingresses, func(g mesh.Ingress) bool { return g.ID == id })
}

// almost says that two names differ by few letters.
func almost(a, b string) bool {
	return max(len(a)-len(b), len(b)-len(a)) <= slips && distance(a, b) <= slips
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for k := 1; k <= len(b); k++ {
			cost := diagonal
			if a[i-1] != b[k-1] {
				cost++
			}
			diagonal = row[k]
			row[k] = min(cost, row[k]+1, row[k-1]+1)
		}
	}
	return row[len(b)]
}
