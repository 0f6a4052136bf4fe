// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// isolation reports every way into the companion for a source that may not: no default deny, or a rule that lets in more. Where
// was is given, what got in there counts as allowed.
func (j *judge) isolation(was *judge) []mesh.Finding {
	var findings []mesh.Finding
	reported := map[string]bool{}
	for _, port := range j.c.ports {
		q := question{allowed: port.others, companions: port.companions, namespaces: j.view.Namespaces}
		if was != nil {
			q.earlier = newExposure(was.self(), port.port, question{namespaces: was.view.Namespaces})
			if !q.earlier.closed {
				// It was open to everyone, whatever rules say.
				continue
			}
		}
		x := newExposure(j.self(), port.port, q)
		if !x.closed || x.conflict.by != nil && (was == nil || q.earlier.conflict.by == nil) {
			// One finding for the whole companion: its first port is the one it is there for.
			return []mesh.Finding{j.notIsolated(x)}
		}
		for _, leak := range x.answer().Leaks {
			if place := leak.By.by.place(); !reported[place] {
				reported[place] = true
				findings = append(findings, j.tooBroad(port.port, leak))
			}
		}
	}
	return findings
}

// notIsolated is the finding for a companion without default deny.
func (j *judge) notIsolated(x *exposure) mesh.Finding {
	why, unsure := "no policy selects it", ""
	for _, r := range j.self().in(ingress).rules {
		why = "no policy that selects it enables default deny at ingress"
		if r.defaultDeny {
			unsure = fmt.Sprintf("%s has %s, which cannot be judged", r.policy.ref.Object(), r.policy.unsure)
		}
	}
	code := mesh.CodeNotIsolated
	if unsure = cmp.Or(x.conflict.why, unsure); unsure != "" {
		code, why = mesh.CodeNotJudged, unsure
	}
	f := j.finding(code, fmt.Sprintf("%s is open on %d/TCP: any pod may reach it, since %s", j.c, x.port, why))
	f.Witness = &mesh.Witness{From: "any pod", To: j.c.String(), Port: x.port, Protocol: string(TCP)}
	f.Fix = "Apply the policy below or label the namespace daprise.dev/coverage=warn."
	if x.conflict.by != nil {
		f.Fix = x.conflict.mend()
	}
	f.Manifest = j.manifest(j.covering)
	return f
}

// tooBroad is the finding for a rule that lets in more than may.
func (j *judge) tooBroad(port int32, leak Leak) mesh.Finding {
	from := inWords(leak.Witness)
	why := fmt.Sprintf("%s of %s allows it", leak.By.by.field(), leak.By.by.policy.ref.Object())
	code := mesh.CodeTooBroad
	if leak.Unjudged != "" {
		code = mesh.CodeNotJudged
		why = fmt.Sprintf("%s of %s has %s, which cannot be judged", leak.By.by.field(), leak.By.by.policy.ref.Object(), leak.Unjudged)
	}
	f := j.finding(code, fmt.Sprintf("%s is open on %d/TCP: %s may reach it, since %s", j.c, port, from, why))
	f.Witness = &mesh.Witness{From: from, To: j.c.String(), Port: port, Protocol: string(TCP)}
	f.Fix = "Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn."
	f.Manifest = j.manifest(j.denying)
	return f
}

// inWords names a witness: "any pod", "any pod of namespace shop", "pod shop/app=x", "entity world", "203.0.113.7".
func inWords(e Endpoint) string {
	switch {
	case e.Entity == EntityIngress:
		return "the gateway"
	case e.Entity != "":
		return "entity " + e.Entity
	case e.Address.IsValid():
		return e.Address.String()
	}
	var of []string
	if e.Cluster != "" {
		of = append(of, "cluster "+e.Cluster)
	}
	if e.ServiceAccount != "" && e.ServiceAccount != "any" {
		of = append(of, "ServiceAccount "+e.ServiceAccount)
	}
	for _, k := range slices.Sorted(maps.Keys(e.NamespaceLabels)) {
		if e.Namespace == anyNamespace {
			of = append(of, "a namespace with "+k+"="+e.NamespaceLabels[k])
		}
	}
	if len(e.Labels) == 0 && e.Namespace != anyNamespace {
		of = append(of, "namespace "+e.Namespace)
	}
	words := "any pod"
	e.Cluster = ""
	if len(e.Labels) > 0 {
		words = e.String()
		if e.Namespace == anyNamespace {
			words = "any pod with " + strings.TrimPrefix(words, "pod "+anyNamespace+"/")
		}
	}
	if len(of) > 0 {
		words += " of " + strings.Join(of, " and ")
	}
	return words
}
