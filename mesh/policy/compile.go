// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"strings"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
)

// CompileCNP compiles a CiliumNetworkPolicy. An invalid rule voids the whole object, as in Cilium: the Policy then allows and
// denies nothing and says why (Void). The subject of every rule is forced into the object's namespace. It does not modify cnp.
func CompileCNP(cnp *ciliumv2.CiliumNetworkPolicy) *Policy {
	namespace := cnp.Namespace
	if namespace == "" {
		namespace = "default"
	}
	c := &compiler{policy: &Policy{ref: Ref{Kind: KindCNP, Namespace: namespace, Name: cnp.Name}}}
	c.compile(cnp.Spec, cnp.Specs)
	return c.policy
}

// CompileCCNP compiles a CiliumClusterwideNetworkPolicy, on the same terms as CompileCNP.
func CompileCCNP(ccnp *ciliumv2.CiliumClusterwideNetworkPolicy) *Policy {
	c := &compiler{policy: &Policy{ref: Ref{Kind: KindCCNP, Name: ccnp.Name}}}
	c.compile(ccnp.Spec, ccnp.Specs)
	return c.policy
}

// compiler turns the rules of one object into the model.
type compiler struct {
	policy *Policy
	// subject and init belong to the rule at hand.
	spec    int
	subject selector
	node    bool
	init    bool
}

func (c *compiler) compile(spec *api.Rule, specs api.Rules) {
	all := make(api.Rules, 0, len(specs)+1)
	if spec != nil {
		c.policy.single = true
		all = append(all, spec)
	}
	all = append(all, specs...)
	if spec == nil && specs == nil {
		c.policy.reject("it has neither spec nor specs")
	}
	for i, r := range all {
		if r == nil {
			c.policy.reject("specs has an empty element")
			continue
		}
		c.spec = i
		c.rule(r.DeepCopy())
	}
	c.policy.finish()
}

// rule compiles one rule, which it may modify.
func (c *compiler) rule(r *api.Rule) {
	nodes := takeNodes(r)
	if nodes != nil {
		// Whether Cilium accepts fromNodes depends on enable-node-selector-labels; without it the whole object is void.
		c.policy.unsure = "fromNodes and toNodes"
	}
	if dropAmbiguous(r) {
		c.policy.unsure = "a selector that names one label twice"
	}
	if err := c.sanitize(r); err != nil {
		c.policy.reject(cmp.Or(mixedPeers(r), err.Error()))
		c.subjectOf(r)
		return
	}
	if r.NodeSelector.LabelSelector != nil && c.policy.ref.Kind == KindCNP {
		c.inNamespace()
		return
	}
	c.policy.voids = append(c.policy.voids, formerly(r)...)
	c.subjectOf(r)
	nodes.giveBack(r)
	for i := range r.Ingress {
		x := &r.Ingress[i]
		c.add(element{ingress, false, i, isTrue(r.EnableDefaultDeny.Ingress)}, c.from(&x.IngressCommonRule), effect{x.ToPorts, x.ICMPs, x.Authentication})
	}
	for i := range r.IngressDeny {
		x := &r.IngressDeny[i]
		c.add(element{ingress, true, i, isTrue(r.EnableDefaultDeny.Ingress)}, c.from(&x.IngressCommonRule), effect{allowRules(x.ToPorts), x.ICMPs, nil})
	}
	for i := range r.Egress {
		x := &r.Egress[i]
		c.add(element{egress, false, i, isTrue(r.EnableDefaultDeny.Egress)}, c.to(&x.EgressCommonRule, x.ToFQDNs), effect{x.ToPorts, x.ICMPs, x.Authentication})
	}
	for i := range r.EgressDeny {
		x := &r.EgressDeny[i]
		c.add(element{egress, true, i, isTrue(r.EnableDefaultDeny.Egress)}, c.to(&x.EgressCommonRule, nil), effect{allowRules(x.ToPorts), x.ICMPs, nil})
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// subjectOf reads whom the rule is for. After a failed Sanitize the selector may lack the sources of its keys; requirementOf
// takes "any" then, which is what Sanitize would have written.
func (c *compiler) subjectOf(r *api.Rule) {
	c.node = r.NodeSelector.LabelSelector != nil
	c.init = r.EndpointSelector.LabelSelector != nil && r.EndpointSelector.HasKey(sourceReserved+":"+EntityInit)
	switch ns := c.policy.ref.Namespace; {
	case c.node:
		c.subject = selectorOf(r.NodeSelector.LabelSelector)
	case ns == "" || r.EndpointSelector.LabelSelector == nil:
		c.subject = selectorOf(r.EndpointSelector.LabelSelector)
	default:
		// What matchLabels say of the namespace is overwritten; what matchExpressions say must hold as well (cilium
		// pkg/k8s/apis/cilium.io/utils ParseToCiliumRule).
		delete(r.EndpointSelector.MatchLabels, sourceK8s+":"+keyNamespace)
		c.subject = selectorOf(r.EndpointSelector.LabelSelector).with(equals(sourceK8s, keyNamespace, ns))
	}
	c.policy.subject = append(c.policy.subject, c.subject)
}

// element is the place of one allow or deny rule inside a rule.
type element struct {
	direction   direction
	deny        bool
	index       int
	defaultDeny bool
}

func (e element) path() string {
	name := "ingress"
	if e.direction == egress {
		name = "egress"
	}
	if e.deny {
		name += "Deny"
	}
	return name
}

// effect is what one rule lets pass or stops, beside its peers.
type effect struct {
	ports api.PortRules
	icmps api.ICMPRules
	auth  *api.Authentication
}

// peers is what a from or to section says: alternatives, any peer at all, or nobody.
type peers struct {
	list   []peer
	former []formerPeer
	any    bool
	nobody bool
}

func (p *peers) addCIDRs(cidrs api.CIDRSlice, sets api.CIDRRuleSlice) {
	p.list = append(p.list, cidrPeers(cidrs, sets)...)
	if everyAddress(cidrs) {
		p.former = append(p.former, formerPeer{peer{selector: reserved(EntityWorld)}, sinceWorldByFamily})
	}
	if everyAddressInSets(sets) {
		p.former = append(p.former, formerPeer{peer{selector: reserved(EntityWorld)}, sinceSetsApart})
	}
}

func (c *compiler) add(e element, p peers, what effect) {
	r := &rule{
		policy: c.policy, subject: c.subject, node: c.node, direction: e.direction, deny: e.deny, defaultDeny: e.defaultDeny,
		spec: c.spec, path: e.path(), index: e.index,
	}
	r.ports, r.anyPort = portRules(what.ports, what.icmps)
	switch {
	case p.nobody:
	case p.any:
		// A rule with neither peers nor ports matches nothing, though it closes its direction.
		r.anyPeer = !r.anyPort
	default:
		r.peers, r.former = p.list, p.former
	}
	if what.auth != nil {
		r.auth = authModeOf(what.auth.Mode)
	}
	r.demanding = r.auth != authUnset
	for _, p := range r.ports {
		r.demanding = r.demanding || p.asks().parser != parserNone
	}
	r.date()
	c.policy.rules = append(c.policy.rules, r)
}

func authModeOf(m api.AuthenticationMode) authMode {
	switch m {
	case api.AuthenticationModeRequired:
		return authRequired
	case api.AuthenticationModeAlwaysFail:
		return authAlwaysFail
	default:
		return authDisabled
	}
}

func allowRules(deny api.PortDenyRules) api.PortRules {
	if deny == nil {
		return nil
	}
	rules := make(api.PortRules, 0, len(deny))
	for _, d := range deny {
		rules = append(rules, api.PortRule{Ports: d.Ports})
	}
	return rules
}

func (c *compiler) from(r *api.IngressCommonRule) peers {
	if empty(r.FromEndpoints) || empty(r.FromNodes) || empty(r.FromEntities) || empty(r.FromCIDR) || empty(r.FromCIDRSet) {
		return peers{nobody: true}
	}
	var p peers
	p.list = append(p.list, c.endpoints(r.FromEndpoints)...)
	p.list = append(p.list, entityPeers(r.FromEntities)...)
	p.addCIDRs(r.FromCIDR, r.FromCIDRSet)
	p.list = append(p.list, unjudged("fromNodes", len(r.FromNodes), reachNodes)...)
	p.list = append(p.list, unjudged("fromGroups", len(r.FromGroups), reachWorld)...)
	p.any = len(r.FromEndpoints)+len(r.FromEntities)+len(r.FromCIDR)+len(r.FromCIDRSet)+len(r.FromNodes)+len(r.FromGroups) == 0
	return p
}

func (c *compiler) to(r *api.EgressCommonRule, fqdns api.FQDNSelectorSlice) peers {
	if empty(r.ToEndpoints) || empty(r.ToNodes) || empty(r.ToEntities) || empty(r.ToCIDR) || empty(r.ToCIDRSet) {
		return peers{nobody: true}
	}
	var p peers
	p.list = append(p.list, c.endpoints(r.ToEndpoints)...)
	p.list = append(p.list, entityPeers(r.ToEntities)...)
	p.addCIDRs(r.ToCIDR, r.ToCIDRSet)
	p.list = append(p.list, unjudged("toNodes", len(r.ToNodes), reachNodes)...)
	p.list = append(p.list, unjudged("toGroups", len(r.ToGroups), reachWorld)...)
	p.list = append(p.list, unjudged("toFQDNs", len(fqdns), reachWorld)...)
	p.list = append(p.list, unjudged("toServices", len(r.ToServices), reachAnything)...)
	p.any = len(r.ToEndpoints)+len(r.ToEntities)+len(r.ToCIDR)+len(r.ToCIDRSet)+len(r.ToNodes)+len(r.ToGroups)+len(fqdns)+len(r.ToServices) == 0
	return p
}

// empty tells "fromEndpoints: []", which selects nobody, from an absent field.
func empty[S ~[]E, E any](s S) bool { return s != nil && len(s) == 0 }

func unjudged(field string, count int, may reach) []peer {
	if count == 0 {
		return nil
	}
	return []peer{{unjudged: field, may: may}}
}

// endpoints gives each selector of fromEndpoints or toEndpoints the namespace and the cluster that it leaves out (cilium
// pkg/k8s/apis/cilium.io/utils getEndpointSelector).
func (c *compiler) endpoints(selectors []api.EndpointSelector) []peer {
	list := make([]peer, 0, len(selectors))
	for _, es := range selectors {
		s := c.scoped(selectorOf(es.LabelSelector))
		list = append(append(list, peer{selector: s}), aggregates(s)...)
	}
	return list
}

func (c *compiler) scoped(s selector) selector {
	for _, r := range s {
		if r.source == sourceReserved {
			return s
		}
	}
	if !s.hasKey(keyNamespace) {
		switch {
		case c.policy.ref.Namespace != "":
			if !namesNamespaceLabel(s) {
				s = s.with(equals(sourceK8s, keyNamespace, c.policy.ref.Namespace))
			}
		case !c.init:
			s = s.with(present(sourceK8s, keyNamespace))
		}
	}
	if !s.hasKey(keyCluster) {
		s = s.with(impliedCluster())
	}
	return s
}

func namesNamespaceLabel(s selector) bool {
	for _, r := range s {
		if (r.source == sourceK8s || r.source == sourceAny) && strings.HasPrefix(r.key, keyNamespaceLabels+".") {
			return true
		}
	}
	return false
}
