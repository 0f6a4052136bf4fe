// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"

	"github.com/daprise/daprise/mesh"
)

// Ports of what every companion needs around it: Cilium matches those of the pods behind Services (facts: section 2).
const (
	portDNS       = 53
	portSentry    = 50001
	portOperator  = 6500
	portPlacement = 50005
	portScheduler = 50006
)

// UDP is the protocol of DNS.
const UDP Protocol = "UDP"

// service is one thing that a companion sends to: F5.
type service struct {
	to       end
	port     int32
	protocol Protocol
}

// surroundings are DNS and Dapr's control plane, by the labels that their charts give to pods (Kubernetes: k8s-app=kube-dns; dapr
// charts/dapr).
func surroundings(view *mesh.View) []service {
	at := func(namespace, key, value string) end {
		labels := map[string]string{key: value}
		e := &Endpoint{Namespace: namespace, Labels: labels, NamespaceLabels: view.Namespaces[namespace]}
		return end{endpoint: e, name: value, namespace: namespace, object: value, selector: labels}
	}
	dapr := func(name string) end {
		e := at(view.Config.Dapr.ControlPlaneNamespace, "app", name)
		e.endpoint.Labels = map[string]string{"app": name, "app.kubernetes.io/name": "dapr", "app.kubernetes.io/part-of": "dapr"}
		return e
	}
	return []service{
		{at("kube-system", "k8s-app", "kube-dns"), portDNS, UDP},
		{dapr("dapr-sentry"), portSentry, TCP},
		{dapr("dapr-operator"), portOperator, TCP},
		{dapr("dapr-placement-server"), portPlacement, TCP},
		{dapr("dapr-scheduler-server"), portScheduler, TCP},
	}
}

// surroundings reports what of F5 the companion may not send to. Nothing is asked for where no policy closes its egress.
func (j *judge) surroundings() (mesh.Finding, bool) {
	var missing []string
	why, code := "", mesh.CodeFlowDenied
	if j.self().free(egress) {
		return mesh.Finding{}, false
	}
	for _, s := range surroundings(j.view) {
		judged := passage{from: j.self(), to: j.met.of(s.to.endpoint), port: s.port, protocol: s.protocol}.judge(egress)
		if judged.allowed || judged.conflict.by != nil {
			// Of a conflict there is a finding already.
			continue
		}
		missing = append(missing, fmt.Sprintf("%s on %d/%s", s.to.name, s.port, s.protocol))
		if why == "" {
			why = j.closedBy(judged)
		}
		if judged.open {
			code = mesh.CodeNotJudged
		}
	}
	if len(missing) == 0 {
		return mesh.Finding{}, false
	}
	f := j.finding(code, fmt.Sprintf("%s may not send to %s: %s", j.c, inList(missing), why))
	f.Witness = &mesh.Witness{From: j.c.String(), To: inList(missing), Port: portSentry, Protocol: string(TCP)}
	f.Fix = "Apply the policy below."
	f.Manifest = j.manifest(func() string {
		return written(namedPolicy(j.c.ref.Namespace, mesh.CompanionName(j.c.ref.ID)+"-to-surroundings", j.c.sendingOut(j.view)))
	})
	return f, true
}

func (j *judge) closedBy(judged judgement) string {
	by := judged.by.by
	switch {
	case by == nil || judged.open:
		return "it depends on " + strings.Join(judged.unjudged, " and ") + ", which cannot be judged"
	case by.deny:
		return fmt.Sprintf("%s of %s denies it", by.field(), by.policy.ref.Object())
	default:
		return fmt.Sprintf("%s enables default deny at its egress and no rule allows it", by.policy.ref.Object())
	}
}

func inList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// sendingOut is the rule that lets a companion send to its surroundings and closes nothing.
func (c *companion) sendingOut(view *mesh.View) *api.Rule {
	rule := opening(c.end())
	for _, s := range surroundings(view) {
		rule.send(s.to, s.port)
		if s.protocol == UDP {
			ports := rule.Egress[len(rule.Egress)-1].ToPorts
			ports[0].Ports = append(ports[0].Ports, api.PortProtocol{Port: ports[0].Ports[0].Port, Protocol: api.ProtoUDP})
		}
	}
	return rule.Rule
}

// sendingAll is the rule that lets a companion send all that it needs to.
func (c *companion) sendingAll(view *mesh.View) *api.Rule {
	rule := openingRule{c.sendingOut(view)}
	for _, ref := range callees(view, c.ref) {
		rule.send(companionEnd(ref, mesh.ComponentApp, &Endpoint{}), mesh.PortInternal)
	}
	var seen []string
	for _, n := range c.flows {
		if n.toApp && n.from.namespace != "" && !slices.Contains(seen, n.to.name) {
			seen = append(seen, n.to.name)
			rule.send(n.to, c.portsTo(n)...)
		}
	}
	return rule.Rule
}

// openingRule is a rule that lets flows pass and closes nothing.
type openingRule struct{ *api.Rule }

// opening begins the rule for one end.
func opening(subject end) openingRule {
	return openingRule{&api.Rule{
		EndpointSelector:  api.NewESFromMatchRequirements(subject.selector, nil),
		EnableDefaultDeny: api.DefaultDenyConfig{Ingress: new(false), Egress: new(false)},
	}}
}

func (r openingRule) send(to end, ports ...int32) {
	r.Egress = append(r.Egress, api.EgressRule{
		EgressCommonRule: api.EgressCommonRule{ToEndpoints: []api.EndpointSelector{selectorOfEnd(to)}}, ToPorts: toPorts(ports...),
	})
}

func (r openingRule) sending(to end, ports ...int32) *api.Rule {
	r.send(to, ports...)
	return r.Rule
}

func (r openingRule) receiving(from end, ports ...int32) *api.Rule {
	if from.namespace == "" {
		r.Ingress = append(r.Ingress, fromGateway(ports...))
		return r.Rule
	}
	r.Ingress = append(r.Ingress, fromEndpoints([]api.EndpointSelector{selectorOfEnd(from)}, ports...))
	return r.Rule
}

// selectorOfEnd selects an end as a peer, with its namespace written out.
func selectorOfEnd(e end) api.EndpointSelector {
	return api.NewESFromMatchRequirements(k8sLabels(e.selector, e.namespace), nil)
}

func namedPolicy(namespace, name string, rule *api.Rule) *ciliumv2.CiliumNetworkPolicy {
	p := coveringPolicy(mesh.AppRef{Namespace: namespace, ID: name}, "")
	p.Name, p.Labels, p.Spec = name, nil, rule
	return p
}

// closes says whether any policy of the set puts an endpoint under default deny in a direction.
func (s *Set) closes(e *Endpoint, d direction) bool {
	return slices.ContainsFunc(s.party(e).in(d).rules, func(r *rule) bool { return r.defaultDeny })
}
