// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Source is a set of sources that are allowed to reach an endpoint: an entity, or pods by their labels.
type Source struct {
	// Entity is one of the entities; then nothing else is set.
	Entity string
	// Namespace is that of the pods; NamespaceSelector names several instead.
	Namespace         string
	NamespaceSelector *metav1.LabelSelector
	// Labels are those that all of the pods have, PodSelector says the same in its own words.
	Labels      map[string]string
	PodSelector *metav1.LabelSelector
}

// Exposure is who can reach an endpoint on one TCP port beside those who are allowed to.
type Exposure struct {
	// DefaultDeny says that the endpoint's ingress is certainly closed but for what rules allow.
	DefaultDeny bool
	// Leaks are the ways in for others, one for each rule; a single one without a rule where there is no default deny. Empty
	// means: within the allowed set.
	Leaks []Leak
}

// Leak is one way in.
type Leak struct {
	// Witness is a source outside the allowed set that gets in.
	Witness Endpoint
	// By is the rule that lets it in; zero where nothing closes the endpoint.
	By Decision
	// Unjudged names what cannot be judged and was therefore taken as open; empty where the witness certainly gets in.
	Unjudged string
}

// Exposure says whether every source that Cilium lets reach the target's port is within the allowed set. It never says so when
// some source outside could get in: pods of any labels in any namespace, the gateway, other nodes, the API server, the world.
// The target's own node is not counted: Cilium always lets it in. namespaces holds the labels of the namespaces that are known; a
// namespace that is not in it may have any.
func (s *Set) Exposure(target Endpoint, port int32, allowed []Source, namespaces map[string]map[string]string) Exposure {
	return newExposure(s.party(&target), port, question{allowed: allowed, namespaces: namespaces}).answer()
}

// question is what an exposure is asked for: who is allowed, and what is known of namespaces.
type question struct {
	allowed    []Source
	companions []mesh.AppRef
	namespaces map[string]map[string]string
	// earlier is another exposure of the same target: whoever got in then counts as allowed.
	earlier *exposure
}

func newExposure(target *party, port int32, q question) *exposure {
	x := &exposure{question: q, set: target.set, target: target, port: port, conflict: target.conflict(), closed: target.unlabelled()}
	x.sort(target.in(ingress))
	return x
}

type exposure struct {
	question
	set    *Set
	target *party
	port   int32
	// allows, denies are the rules about the port. Denies that are not certain are left out, allows never.
	allows, denies []*rule
	// uncertain are those of allows of which it is not certain that they are about the port.
	uncertain []*rule
	closed    bool
	// barred are the pods that do not count (keptOut), addresses the candidates outside the cluster, once they are asked for.
	barred    []selector
	addresses []candidate
	// conflict says why Cilium cannot compute the target's policy; none if it can.
	conflict conflict
}

func (x *exposure) sort(s *subject) {
	at := destination{names: x.target.Ports, port: x.port, protocol: TCP}
	for _, r := range s.rules {
		certain := r.policy.unsure == ""
		x.closed = x.closed || (r.defaultDeny && certain)
		_, onPort := r.matchesPort(at, s.uneven)
		switch {
		case onPort == no:
		case !r.deny:
			x.allows = append(x.allows, r)
			if onPort == maybe {
				x.uncertain = append(x.uncertain, r)
			}
		case certain && onPort == yes:
			x.denies = append(x.denies, r)
		}
	}
}

// unsure says what of a rule among allows cannot be judged, empty for most.
func (x *exposure) unsure(r *rule) string {
	if slices.Contains(x.uncertain, r) {
		return unevenRange
	}
	return r.policy.unsure
}

func (x *exposure) answer() Exposure {
	out := Exposure{DefaultDeny: x.closed && x.conflict.by == nil}
	if !out.DefaultDeny {
		if leak, ok := x.leak(&rule{policy: &Policy{}, anyPeer: true}); ok {
			leak.By, leak.Unjudged = Decision{}, cmp.Or(x.conflict.why, leak.Unjudged)
			out.Leaks = []Leak{leak}
		}
		return out
	}
	for _, r := range x.allows {
		if leak, ok := x.leak(r); ok {
			out.Leaks = append(out.Leaks, leak)
		}
	}
	return out
}

// leak looks for a source that the rule lets in and that is not allowed: first among pods, then the entities, then the world.
func (x *exposure) leak(r *rule) (Leak, bool) {
	if r.anyPeer {
		if leak, ok := x.pods(selector{}); ok {
			leak.By, leak.Unjudged = allowed(r).decision(), cmp.Or(leak.Unjudged, x.unsure(r))
			return leak, true
		}
	}
	for i := range r.peers {
		p := &r.peers[i]
		if !p.isPods() {
			continue
		}
		if leak, ok := x.pods(p.selector); ok {
			leak.By, leak.Unjudged = allowed(r).decision(), cmp.Or(leak.Unjudged, x.unsure(r))
			return leak, true
		}
	}
	for e := range x.candidates() {
		if matched, why := r.matches(&e.Endpoint, e.id); matched != no && !x.isAllowed(e) && !x.denied(e) {
			if matched == yes {
				why = x.unsure(r)
			}
			return Leak{Witness: e.Endpoint, By: allowed(r).decision(), Unjudged: why}, true
		}
	}
	return Leak{}, false
}

// pods looks for a pod that the selector lets in, that no deny keeps out, that is not allowed and that did not get in earlier: because no
// rule let it in then, or because one kept it out.
func (x *exposure) pods(sel selector) (Leak, bool) {
	if slices.ContainsFunc(x.denies, func(d *rule) bool { return d.anyPeer }) {
		return Leak{}, false
	}
	if x.barred == nil {
		x.barred = x.keptOut()
	}
	if x.earlier == nil {
		return x.pod([]selector{sel}, x.barred)
	}
	if leak, ok := x.pod([]selector{sel}, slices.Concat(x.barred, x.earlier.podsAllowed())); ok {
		return leak, true
	}
	for _, denied := range x.earlier.podsDenied() {
		if leak, ok := x.pod([]selector{sel, denied}, x.barred); ok {
			return leak, true
		}
	}
	return Leak{}, false
}

// pod looks for a pod that all of some selectors match and none of others.
func (x *exposure) pod(all, none []selector) (Leak, bool) {
	q := pods{all: all, none: none, namespaces: x.namespaces, cluster: x.set.cluster, cilium: x.set.cilium}
	pod, found, unknown := q.find()
	if unknown {
		return Leak{Witness: Endpoint{Namespace: anyNamespace}, Unjudged: "too many alternatives"}, true
	}
	return Leak{Witness: pod}, found
}

// keptOut are the pods that do not count: those that denies keep out, and those that are allowed.
func (x *exposure) keptOut() []selector {
	none := x.podsDenied()
	for _, a := range x.allowed {
		if a.Entity == "" {
			none = append(none, a.selector())
		}
	}
	for _, ref := range x.companions {
		none = append(none, companionSelectors(ref)...)
	}
	return none
}

// selector is the pods that the source stands for.
func (a Source) selector() selector {
	var s selector
	if a.Namespace != "" {
		s = append(s, equals(sourceK8s, keyNamespace, a.Namespace))
	}
	if a.NamespaceSelector != nil {
		for _, r := range podSelector(a.NamespaceSelector) {
			r.source, r.key = sourceK8s, keyNamespaceLabels+"."+r.key
			s = append(s, r)
		}
	}
	if a.PodSelector != nil {
		s = append(s, podSelector(a.PodSelector)...)
	}
	for k, v := range a.Labels {
		s = append(s, equals(sourceK8s, k, v))
	}
	s.sort()
	return s
}

// podsAllowed are the pods that rules let in, or that nothing kept out but denies.
func (x *exposure) podsAllowed() []selector {
	if !x.closed {
		return []selector{{}}
	}
	return podsOf(x.allows)
}

// podsDenied are the pods that denies certainly keep out, whoever lets them in.
func (x *exposure) podsDenied() []selector { return podsOf(x.denies) }

// podsOf are the pods among the peers of rules.
func podsOf(rules []*rule) []selector {
	list := []selector{}
	for _, r := range rules {
		if r.anyPeer {
			return []selector{{}}
		}
		for i := range r.peers {
			if r.peers[i].isPods() {
				list = append(list, r.peers[i].selector)
			}
		}
	}
	return list
}

// letsIn says whether a source other than a pod got in.
func (x *exposure) letsIn(e *candidate) bool {
	return !x.denied(e) && (!x.closed || slices.ContainsFunc(x.allows, func(r *rule) bool {
		matched, _ := r.matches(&e.Endpoint, e.id)
		return matched == yes
	}))
}

func (x *exposure) isAllowed(e *candidate) bool {
	if x.earlier != nil && x.earlier.letsIn(e) {
		return true
	}
	return slices.ContainsFunc(x.allowed, func(a Source) bool { return a.Entity != "" && a.Entity == e.Entity })
}

func (x *exposure) denied(e *candidate) bool {
	return slices.ContainsFunc(x.denies, func(d *rule) bool {
		matched, _ := d.matches(&e.Endpoint, e.id)
		return matched == yes
	})
}

// candidate is a source that is not a pod.
type candidate struct {
	Endpoint
	id identity
}

// entities are every entity but the own node. They are the same in every release and cluster.
func entities() []candidate {
	var list []candidate
	for _, name := range []string{
		EntityIngress, EntityWorld, EntityWorldIPv4, EntityWorldIPv6, EntityRemoteNode, EntityKubeAPIServer, EntityHealth, EntityInit, EntityUnmanaged,
	} {
		e := Endpoint{Entity: name}
		list = append(list, candidate{e, e.identity("", modelled)})
	}
	return list
}

// candidates are the sources that are not pods: every entity but the own node, and of the addresses outside the cluster one for each
// stretch that no block of any rule divides.
func (x *exposure) candidates() iter.Seq[*candidate] {
	return func(yield func(*candidate) bool) {
		for i := range x.set.candidates {
			if !yield(&x.set.candidates[i]) {
				return
			}
		}
		if x.addresses == nil {
			x.addresses = x.outside()
		}
		for i := range x.addresses {
			if !yield(&x.addresses[i]) {
				return
			}
		}
	}
}

func (x *exposure) outside() []candidate {
	var addresses []netip.Addr
	for _, rules := range [][]*rule{x.allows, x.denies} {
		for _, r := range rules {
			for i := range r.peers {
				for _, prefix := range x.set.edges(&r.peers[i]) {
					addresses = append(addresses, prefix.Addr())
					if next := after(prefix); next.IsValid() {
						addresses = append(addresses, next)
					}
				}
			}
		}
	}
	return x.set.at(addresses)
}

// at are the candidates at addresses outside the cluster.
func (s *Set) at(addresses []netip.Addr) []candidate {
	list := make([]candidate, 0, 2*len(addresses))
	for _, a := range addresses {
		for _, e := range []Endpoint{{Address: a}, {Entity: EntityKubeAPIServer, Address: a}} {
			list = append(list, candidate{e, s.identity(e)})
		}
	}
	return list
}

// everywhere are the candidates that there are whatever rules say: the entities, and the lowest addresses, which begin the first stretch of
// each family.
func (s *Set) everywhere() []candidate {
	return append(entities(), s.at([]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()})...)
}

// after is the first address behind a block, invalid at the end of the address space.
func after(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last.Next()
}
