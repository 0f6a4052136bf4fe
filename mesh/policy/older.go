// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"

	"github.com/cilium/cilium/pkg/policy/api"
)

// older is a Policy as another release reads it.
type older struct {
	reading reading
	policy  *Policy
}

// reading is by what the same object can mean something else: Cilium's release, and whether selectors that say nothing of the cluster are
// those of every cluster of a mesh.
type reading struct {
	cilium     release
	anyCluster bool
}

// same says that the reading is that by which policies are compiled.
func (r reading) same() bool {
	return r.cilium >= sinceAggregates && !r.anyCluster
}

// in is the Policy as another release reads it; the same one where there is no difference. The last answer is kept: a cluster has one
// release.
func (p *Policy) in(r reading) *Policy {
	if p.newer != nil {
		p = p.newer
	}
	if r.same() {
		return p
	}
	if o := p.older.Load(); o != nil && o.reading == r {
		return o.policy
	}
	o := &older{reading: r, policy: p.read(r)}
	p.older.Store(o)
	return o.policy
}

func (p *Policy) read(r reading) *Policy {
	q := &Policy{ref: p.ref, voids: p.voids, unsure: p.unsure, subject: p.subject, named: p.named, single: p.single, newer: p}
	q.settle(r.cilium)
	q.rules = make([]*rule, 0, len(p.rules))
	for _, rule := range p.rules {
		q.rules = append(q.rules, rule.in(r, q))
	}
	return q
}

func (s *Set) reading() reading { return reading{s.cilium, s.anyCluster} }

// in is the rule as another release reads it, for the same rule of another Policy.
func (r *rule) in(as reading, p *Policy) *rule {
	if !r.dated && r.policy.unsure == p.unsure {
		return r
	}
	c := *r
	c.policy = p
	c.peers = nil
	for _, peer := range r.peers {
		if read, ok := peer.in(as); ok {
			read.spreads = r.deny && read.worlds && as.cilium < sinceDeniesByLabel
			c.peers = append(c.peers, read)
		}
	}
	for _, f := range r.former {
		if as.cilium < f.until {
			c.peers = append(c.peers, f.peer)
		}
	}
	c.ports = slices.Clone(r.ports)
	for i := range c.ports {
		c.ports[i] = c.ports[i].in(as)
	}
	return &c
}

// in is the port as another release reads it.
func (p port) in(as reading) port {
	if p.untyped && as.cilium < sinceTwoLayer7Rules {
		p.l7 = l7Requests
	}
	if p.fromZero() && as.cilium < sinceZeroIsEvery {
		p.first, p.zero = 1, true
	}
	p.rangeOut = as.cilium < sinceNamesAlone
	return p
}

// fromZero says that the port is a range that begins with 0.
func (p port) fromZero() bool { return p.name == "" && p.first == 0 && p.last > 0 && p.last < maxPort }

// dated says that releases differ in the port.
func (p port) dated() bool { return p.untyped || p.fromZero() || p.name != "" }

// in is the peer as another release reads it; ok is false if it has none.
func (p peer) in(as reading) (read peer, ok bool) {
	if p.aggregate && as.cilium < sinceAggregates {
		return peer{}, false
	}
	if as.anyCluster {
		p.selector = slices.DeleteFunc(slices.Clone(p.selector), func(r requirement) bool { return r.implied })
	}
	p.worlds = p.onlyWorld() && as.cilium < sinceWorldAlone
	if p.withExcepts() && as.cilium < sinceExceptsSelected {
		b := *p.block
		b.apart = true
		p.block = &b
	}
	if p.group != nil && as.cilium < sinceGroupsOutside {
		g := *p.group
		g.everywhere, g.single = true, as.cilium < sinceEncodedGroups
		p.group, p.selector = &g, g.selector
	}
	return p, true
}

// dated says that releases differ in the peer.
func (p peer) dated() bool {
	return p.aggregate || p.group != nil || p.onlyWorld() || p.withExcepts() || slices.ContainsFunc(p.selector, func(r requirement) bool { return r.implied })
}

// onlyWorld says that the peer's labels are those of entity world, which no address has where there are two families, and not of both others.
func (p peer) onlyWorld() bool {
	means := func(entity string) bool { return p.selector.matches(identity{{sourceReserved, entity, ""}}) }
	return p.isPods() && means(EntityWorld) && (!means(EntityWorldIPv4) || !means(EntityWorldIPv6))
}

// withExcepts says that the peer is a block but for some of its addresses.
func (p peer) withExcepts() bool { return p.block != nil && len(p.block.except) > 0 }

// rest are the blocks that the exceptions leave, as few as there can be (cilium pkg/ip RemoveCIDRs).
func (b *block) rest() []netip.Prefix {
	rest := []netip.Prefix{b.prefix}
	for _, e := range b.except {
		var less []netip.Prefix
		for _, p := range rest {
			less = append(less, without(p, e)...)
		}
		rest = less
	}
	return rest
}

// without is a block without another.
func without(p, e netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(e):
		return []netip.Prefix{p}
	case e.Bits() <= p.Bits():
		return nil
	}
	upper := p.Addr().AsSlice()
	upper[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	// Of as many bytes as an address has.
	half, _ := netip.AddrFromSlice(upper)
	return append(without(netip.PrefixFrom(p.Addr(), p.Bits()+1), e), without(netip.PrefixFrom(half, p.Bits()+1), e)...)
}

// formerPeer is a peer that a rule had in the releases before until.
type formerPeer struct {
	peer  peer
	until release
}

// everyAddress says that a list holds every address of either family. Before sinceWorldByFamily it then meant entity world, too, which no
// address has where there are two families.
func everyAddress(cidrs api.CIDRSlice) bool {
	return slices.Contains(cidrs, "0.0.0.0/0") && slices.Contains(cidrs, "::/0")
}

// everyAddressInSets is everyAddress for cidrSets, which were lists of blocks before sinceSetsApart.
func everyAddressInSets(sets api.CIDRRuleSlice) bool {
	var whole api.CIDRSlice
	for _, s := range sets {
		if len(s.ExceptCIDRs) == 0 {
			whole = append(whole, s.Cidr)
		}
	}
	return everyAddress(whole)
}

// date notes whether releases differ in the rule.
func (r *rule) date() {
	r.dated = len(r.former) > 0 || slices.ContainsFunc(r.peers, peer.dated) || slices.ContainsFunc(r.ports, port.dated)
}
