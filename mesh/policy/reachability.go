// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// reachability reports every flow that must pass and does not, at either end.
func (j *judge) reachability() []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range j.c.flows {
		for _, d := range []direction{ingress, egress} {
			if f, missing := j.flow(n, d); missing {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// flow judges one flow at one end.
func (j *judge) flow(n need, d direction) (mesh.Finding, bool) {
	judged := j.set.judge(d, Flow{From: n.from, To: j.c.endpoint, Port: n.port, Protocol: TCP})
	by := judged.by
	var f mesh.Finding
	switch {
	case !judged.allowed && judged.open:
		f = j.finding(mesh.CodeNotJudged, j.denial(n, d)+": it depends on "+strings.Join(judged.unjudged, " and ")+", which cannot be judged")
		f.Fix, f.Manifest = "Say it with endpoint selectors or entities, as the policy below does.", j.admitting(n, d)
		if judged.conflict.by != nil {
			f.Fix = judged.conflict.mend()
		}
	case !judged.allowed && by.by.deny:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s: %s of %s denies it", j.denial(n, d), by.by.field(), by.by.policy.ref.Object()))
		f.Fix, f.Manifest = "Narrow that rule or empty it ("+by.by.emptied()+").", j.admitting(n, d)
	case !judged.allowed:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s: %s enables default deny at %s and no rule allows it", j.denial(n, d), by.by.policy.ref.Object(), d.point(n)))
		f.Fix, f.Manifest = "Apply the policy below.", j.admitting(n, d)
	case by.proxied != nil && n.port == mesh.PortInternal:
		f = j.finding(mesh.CodeL7OnInternal, fmt.Sprintf("%s reaches %s on %d/TCP through a layer 7 rule, which breaks Dapr's mutual TLS: %s of %s",
			n.name, j.c, n.port, by.proxied.field(), by.proxied.policy.ref.Object()))
		f.Fix, f.Manifest = "Leave out the layer 7 rules, or empty that rule ("+by.proxied.emptied()+") and apply the policy below.", j.admitting(n, d)
	case by.partial != nil:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s reaches %s on %d/TCP with part of the requests alone: %s of %s has layer 7 rules",
			n.name, j.c, n.port, by.partial.field(), by.partial.policy.ref.Object()))
		f.Fix, f.Manifest = "Leave out the layer 7 rules, or apply the policy below.", j.admitting(n, d)
	case by.auth != nil && (n.from.Entity != "" || by.auth.auth == authAlwaysFail):
		f = j.finding(mesh.CodeAuthReservedPeer, fmt.Sprintf("%s can never reach %s on %d/TCP: %s of %s asks for authentication, which %s cannot give",
			n.name, j.c, n.port, by.auth.field(), by.auth.policy.ref.Object(), n.name))
		f.Fix, f.Manifest = "Leave out authentication there, or empty that rule ("+by.auth.emptied()+") and apply the policy below.", j.admitting(n, d)
	default:
		return mesh.Finding{}, false
	}
	f.Witness = &mesh.Witness{From: n.name, To: j.c.String(), Port: n.port, Protocol: string(TCP)}
	if n.namespace != "" && n.namespace != j.c.ref.Namespace {
		f.Namespaces = append(f.Namespaces, n.namespace)
	}
	return f, true
}

// denial is "the gateway may not reach ingress companion …on 3500/TCP".
func (j *judge) denial(n need, d direction) string {
	if d == egress {
		return fmt.Sprintf("%s may not send to %s on %d/TCP", n.name, j.c, n.port)
	}
	return fmt.Sprintf("%s may not reach %s on %d/TCP", n.name, j.c, n.port)
}

// point says where a direction is enforced: "its ingress", "the gateway's egress".
func (d direction) point(n need) string {
	if d == egress {
		return "the egress of " + n.name
	}
	return "its ingress"
}

// emptied is the command that makes a rule match nothing, without taking its default deny or the places of others.
func (r *rule) emptied() string {
	namespace := ""
	if r.policy.ref.Namespace != "" {
		namespace = " -n " + r.policy.ref.Namespace
	}
	return fmt.Sprintf(`kubectl patch %s %s%s --type=json -p='[{"op":"replace","path":%q,"value":{}}]'`,
		strings.ToLower(r.policy.ref.Kind), r.policy.ref.Name, namespace, r.pointer())
}

// pointer is the rule's place as a JSON pointer: "/spec/ingress/0".
func (r *rule) pointer() string {
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(r.field())
}
