// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// reachability reports every flow that must pass and does not, at either end.
func (j *judge) reachability() []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range j.c.flows {
		for _, d := range []direction{ingress, egress} {
			if n.sending && d == ingress {
				continue
			}
			f, missing := j.flow(n, d)
			// Pods of one Service that differ in their labels lack the same more often than not.
			if missing && !slices.ContainsFunc(findings, func(o mesh.Finding) bool { return o.Message == f.Message }) {
				findings = append(findings, f)
			}
		}
	}
	if f, missing := j.surroundings(); missing {
		findings = append(findings, f)
	}
	return findings
}

// flow judges one flow at one end.
func (j *judge) flow(n need, d direction) (mesh.Finding, bool) {
	judged := passage{from: j.met.of(n.from.endpoint), to: j.met.of(n.to.endpoint), port: n.port, protocol: TCP}.judge(d)
	var f mesh.Finding
	if judged.allowed {
		var missing bool
		if f, missing = j.demanding(n, d, judged.by); !missing {
			return mesh.Finding{}, false
		}
	} else {
		f = j.denied(n, d, judged)
	}
	f.Witness = &mesh.Witness{From: n.from.name, To: n.to.name, Port: n.port, Protocol: string(TCP)}
	for _, namespace := range []string{n.from.namespace, n.to.namespace} {
		if namespace != "" && !slices.Contains(f.Namespaces, namespace) {
			f.Namespaces = append(f.Namespaces, namespace)
		}
	}
	if n.assumed {
		f.Severity = mesh.Warn
	}
	return f, true
}

// denied is the finding for a flow that does not pass.
func (j *judge) denied(n need, d direction, judged judgement) mesh.Finding {
	by := judged.by
	var f mesh.Finding
	switch {
	case judged.open:
		f = j.finding(mesh.CodeNotJudged, n.denial(d)+": it depends on "+strings.Join(judged.unjudged, " and ")+", which cannot be judged")
		f.Fix = "Say it with endpoint selectors or entities, as the policy below does."
		if judged.conflict.by != nil {
			f.Fix = judged.conflict.mend()
		}
	case by.by == nil:
		f = j.finding(mesh.CodeFlowDenied, n.denial(d)+": Cilium keeps an endpoint with the label init closed")
		f.Fix = "Take that label from the pods, and apply the policy below."
	case by.by.deny:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s: %s of %s denies it", n.denial(d), by.by.field(), by.by.policy.ref.Object()))
		f.Fix = "Narrow that rule or empty it (" + by.by.emptied() + ")."
	default:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s: %s enables default deny at %s and no rule allows it", n.denial(d), by.by.policy.ref.Object(), n.point(d)))
		f.Fix = "Apply the policy below."
	}
	f.Manifest = j.manifest(func() string { return j.admitting(n, d) })
	return f
}

// demanding is the finding for a flow that passes on terms which it cannot meet, or in part. An app's own rules about requests are its
// owner's: of those daprise warns.
func (j *judge) demanding(n need, d direction, by grounds) (mesh.Finding, bool) {
	var f mesh.Finding
	switch {
	case by.proxied != nil && !n.toApp && n.port == mesh.PortInternal:
		f = j.finding(mesh.CodeL7OnInternal, fmt.Sprintf("%s reaches %s on %d/TCP through a layer 7 rule, which breaks Dapr's mutual TLS: %s of %s",
			n.from.name, n.to.name, n.port, by.proxied.field(), by.proxied.policy.ref.Object()))
		f.Fix = "Leave out the layer 7 rules, or empty that rule (" + by.proxied.emptied() + ") and apply the policy below."
	case by.partial != nil:
		f = j.finding(mesh.CodeFlowDenied, fmt.Sprintf("%s reaches %s on %d/TCP with part of the requests alone: %s of %s has layer 7 rules",
			n.from.name, n.to.name, n.port, by.partial.field(), by.partial.policy.ref.Object()))
		f.Fix = "Leave out the layer 7 rules, or apply the policy below."
		if n.toApp {
			f.Severity = mesh.Warn
		}
	case by.auth != nil && (n.from.endpoint.Entity != "" || by.auth.auth == authAlwaysFail):
		f = j.finding(mesh.CodeAuthReservedPeer, fmt.Sprintf("%s can never reach %s on %d/TCP: %s of %s asks for authentication, which %s cannot give",
			n.from.name, n.to.name, n.port, by.auth.field(), by.auth.policy.ref.Object(), n.from.name))
		f.Fix = "Leave out authentication there, or empty that rule (" + by.auth.emptied() + ") and apply the policy below."
	default:
		return f, false
	}
	f.Manifest = j.manifest(func() string { return j.admitting(n, d) })
	return f, true
}

// denial is "the gateway may not reach ingress companion … on 3500/TCP".
func (n need) denial(d direction) string {
	if d == egress {
		return fmt.Sprintf("%s may not send to %s on %d/TCP", n.from.name, n.to.name, n.port)
	}
	return fmt.Sprintf("%s may not reach %s on %d/TCP", n.from.name, n.to.name, n.port)
}

// point says where a direction is enforced: "its ingress", "the egress of the gateway".
func (n need) point(d direction) string {
	switch {
	case d == egress:
		return "the egress of " + n.from.name
	case n.toApp:
		return "their ingress"
	default:
		return "its ingress"
	}
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
