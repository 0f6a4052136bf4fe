// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Flow is one connection to judge.
type Flow struct {
	From Endpoint `json:"from"`
	To   Endpoint `json:"to"`
	// Port is the destination's: for ICMP, the type.
	Port int32 `json:"port"`
	// Protocol is TCP if empty.
	Protocol Protocol `json:"protocol,omitempty"`
}

// Verdict says whether Cilium lets a flow through, in both directions of enforcement. A flow passes if both do.
type Verdict struct {
	Ingress   bool     `json:"ingress"`
	Egress    bool     `json:"egress"`
	IngressBy Decision `json:"ingressBy"`
	EgressBy  Decision `json:"egressBy"`
	// Unjudged names the rules that could change the verdict and cannot be judged from the policies alone. Where it is not
	// empty, Ingress and Egress are what can be relied on: unjudged allows are absent, unjudged denies present.
	Unjudged []string `json:"unjudged,omitempty"`
}

// Allowed says whether the flow passes.
func (v Verdict) Allowed() bool { return v.Ingress && v.Egress }

// Decision is the policy, spec and rule that decided one direction.
type Decision struct {
	// Policy is "Kind/namespace/name", or empty where no policy had a say.
	Policy string `json:"policy"`
	// Spec counts the object's spec and then its specs from 0, Rule the elements of the list that Why names.
	Spec int    `json:"spec"`
	Rule int    `json:"rule"`
	Why  string `json:"why"`

	by *rule
}

// grounds are why one direction is decided as it is. They are put into words (Decision) where somebody reads them.
type grounds struct {
	why string
	// by is the rule that decides, if one does; proxied, partial and auth are rules that allow and ask more of the traffic than its peer and
	// port.
	by, proxied, partial, auth *rule
	// placed says that the rule's place follows on why.
	placed bool
}

func (g grounds) decision() Decision {
	d := Decision{Why: g.why}
	if g.by == nil {
		return d
	}
	if g.placed {
		d.Why += g.by.field()
	}
	if g.partial != nil {
		d.Why += ", for part of the requests alone"
	}
	if g.auth != nil {
		d.Why += ", with authentication"
	}
	d.Policy, d.Spec, d.Rule, d.by = g.by.policy.ref.String(), g.by.spec, g.by.index, g.by
	return d
}

func denied(r *rule) grounds  { return grounds{why: "denied by ", by: r, placed: true} }
func allowed(r *rule) grounds { return grounds{why: "allowed by ", by: r, placed: true} }

// Verdict judges a flow.
func (s *Set) Verdict(f Flow) Verdict {
	f.Protocol = cmp.Or(Protocol(strings.ToUpper(string(f.Protocol))), TCP)
	p := passage{from: s.party(&f.From), to: s.party(&f.To), port: f.Port, protocol: f.Protocol}
	in, out := p.judge(ingress), p.judge(egress)
	v := Verdict{Ingress: in.allowed, IngressBy: in.by.decision(), Egress: out.allowed, EgressBy: out.by.decision()}
	v.Unjudged = append(v.Unjudged, in.unjudged...)
	v.Unjudged = append(v.Unjudged, out.unjudged...)
	return v
}

// judgement is the outcome of one direction.
type judgement struct {
	// allowed is what can be relied on, open what may be the case: they differ where something cannot be judged.
	allowed, open bool
	by            grounds
	unjudged      []string
	conflict      conflict
	// defaultDeny says whether the direction is certainly closed but for its allows.
	defaultDeny bool
}

// passage is one connection between parties of one Set.
type passage struct {
	from, to *party
	port     int32
	protocol Protocol
}

// judge decides one direction: a deny that matches wins, else an allow that matches, else the default (facts: section 4).
func (p passage) judge(d direction) judgement {
	at, other := p.to, p.from
	if d == egress {
		at, other = p.from, p.to
	}
	if c := at.conflict(); c.by != nil {
		return judgement{open: true, by: grounds{why: c.why}, unjudged: []string{c.why}, conflict: c}
	}
	subject := at.in(d)
	t := tally{at: p.destination(), other: other, cilium: at.set.cilium, uneven: subject.uneven}
	for _, r := range subject.rules {
		t.count(r)
	}
	if at.unlabelled() {
		t.closed[yes] = &rule{}
	}
	return t.judgement(d)
}

func (p passage) destination() destination {
	return destination{names: p.to.Ports, port: p.port, protocol: p.protocol}
}

// destination is where a flow goes to on the endpoint that it goes to, which has names for some of its ports.
type destination struct {
	names    map[string]int32
	port     int32
	protocol Protocol
}

// tally collects what the rules for one subject say about one flow, each by how certain it is.
type tally struct {
	at     destination
	other  *party
	cilium release
	closed [yes + 1]*rule
	denies [yes + 1]*rule
	allows [yes + 1]*rule
	any    bool
	uneven map[string]bool
	// plain is an allow that asks nothing of the traffic beyond peer and port.
	plain bool
	// hard is a part that stays one where the direction is open otherwise.
	hard                bool
	proxied, part, auth *rule
	unjudged            []string
}

func first(slot **rule, r *rule) {
	if *slot == nil {
		*slot = r
	}
}

func (t *tally) count(r *rule) {
	t.any = true
	certain := yes
	if r.policy.unsure != "" {
		certain = maybe
	}
	if r.defaultDeny {
		first(&t.closed[certain], r)
	}
	matched, why := r.matches(t.other.Endpoint, t.other.id)
	if matched == no {
		return
	}
	l7, onPort := r.matchesPort(t.at, t.uneven)
	if onPort == no {
		return
	}
	matched = min(matched, certain, onPort)
	if matched == maybe {
		t.unjudged = append(t.unjudged, fmt.Sprintf("%s: %s", r.place(), cmp.Or(why, r.policy.unsure, unevenRange)))
	}
	if r.deny {
		first(&t.denies[matched], r)
		return
	}
	first(&t.allows[matched], r)
	t.demands(r, l7)
}

// demands notes what an allow asks beyond peer and port.
func (t *tally) demands(r *rule, l7 layer7) {
	if l7 != l7None {
		first(&t.proxied, r)
	}
	if l7 == l7Requests || l7 == l7Part {
		first(&t.part, r)
		t.hard = t.hard || l7 == l7Part
	} else {
		t.plain = true
	}
	if r.auth == authRequired || r.auth == authAlwaysFail {
		first(&t.auth, r)
	}
}

// matches says whether the rule's peers include the other end, and what cannot be judged about it.
func (r *rule) matches(e *Endpoint, id identity) (answer, string) {
	if r.anyPeer {
		return yes, ""
	}
	best, why := no, ""
	for i := range r.peers {
		a := r.peers[i].matches(e, id)
		if a == maybe {
			why = r.peers[i].why()
		}
		best = max(best, a)
	}
	return best, why
}

// matchesPort says whether the rule is about a destination, and what it asks at layer 7: the most permissive of
// its ports that match. It may be, where the port is in a range whose end is not certain (unevenNames).
func (r *rule) matchesPort(to destination, uneven map[string]bool) (layer7, answer) {
	if r.anyPort {
		return l7None, yes
	}
	best, l7 := no, l7Part
	for i := range r.ports {
		p := &r.ports[i]
		if !p.matches(r.direction, to) {
			// A shorter range may turn out as the longer one of another rule.
			longer := *p
			longer.last = maxPort
			if !uneven[p.name] || !longer.matches(r.direction, to) {
				continue
			}
		}
		l7 = min(l7, p.l7)
		if uneven[p.name] && p.isRange(to) {
			best = max(best, maybe)
		} else {
			best = yes
		}
	}
	return l7, best
}

// place is "CiliumNetworkPolicy/default/x spec.ingress[0]".
func (r *rule) place() string {
	return fmt.Sprintf("%s %s", r.policy.ref, r.field())
}

// field is the rule's path in its object: "spec.ingress[0]".
func (r *rule) field() string {
	if r.policy.ref.Kind == KindKNP {
		return fmt.Sprintf("spec.%s[%d]", r.path, r.index)
	}
	return fmt.Sprintf("%s.%s[%d]", r.policy.specField(r.spec), r.path, r.index)
}

func (t *tally) judgement(d direction) judgement {
	j := judgement{unjudged: t.unjudged, defaultDeny: t.closed[yes] != nil}
	mayBeClosed := t.closed[yes] != nil || t.closed[maybe] != nil
	// Cilium always lets the node reach its own pods, unless a rule denies that; an endpoint that no rule
	// selects and that is closed all the same, without labels yet, is the exception (cilium pkg/policy repository.go).
	own := d == ingress && t.other.Entity == EntityHost && (t.any || t.cilium < sinceInitClosedToNode)
	deny := t.denies[yes]
	if deny == nil {
		deny = t.denies[maybe]
	}
	switch {
	case deny != nil:
		j.by = denied(deny)
	case t.allows[yes] != nil:
		j.allowed, j.by = true, allowed(t.allows[yes])
	case own:
		j.allowed, j.by = true, grounds{why: "Cilium lets a node reach its own pods"}
	case !mayBeClosed && t.any:
		j.allowed, j.by = true, grounds{why: "no policy that selects it enables default deny"}
	case !mayBeClosed:
		j.allowed, j.by = true, grounds{why: "no policy selects it"}
	default:
		closer := t.closed[yes]
		if closer == nil {
			closer = t.closed[maybe]
			if len(j.unjudged) == 0 {
				j.unjudged = []string{fmt.Sprintf("%s: %s", closer.place(), closer.policy.unsure)}
			}
		}
		j.by = grounds{why: "default deny, and no rule allows it", by: closer}
		if closer.policy == nil {
			// Nothing but that it has no labels yet closes it.
			j.by.by = nil
		}
	}
	if len(j.unjudged) > 1 {
		slices.Sort(j.unjudged)
		j.unjudged = slices.Compact(j.unjudged)
	}
	t.note(&j.by)
	j.open = t.denies[yes] == nil && (t.allows[yes] != nil || t.allows[maybe] != nil || own || t.closed[yes] == nil)
	return j
}

// note adds to an allowing decision what the rules ask of the traffic. Cilium merges rules for one port: a proxy that one rule asks
// for sees the traffic that another would let pass, and lets pass what any of them would (pkg/policy mergePortProto).
func (t *tally) note(d *grounds) {
	if d.by == nil || d.by.deny || t.allows[yes] == nil && t.allows[maybe] == nil {
		return
	}
	d.proxied, d.auth = t.proxied, t.auth
	closed := t.closed[yes] != nil || t.closed[maybe] != nil
	if !t.plain && t.part != nil && (closed || t.hard) {
		d.partial = t.part
	}
}
