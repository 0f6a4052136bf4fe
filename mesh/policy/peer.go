// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/cilium/cilium/pkg/policy/api"
)

// peer is one alternative of a rule's from or to: a selector, a block of addresses, groups of them, or something that cannot be judged from the
// policies alone.
type peer struct {
	selector selector
	block    *block
	group    *cidrGroup
	// unjudged names what cannot be judged statically: "toFQDNs". Such a peer may match what may names.
	unjudged string
	may      reach
	// aggregate marks a peer that no policy names (aggregates).
	aggregate bool
	// worlds says that it selects entity world, and thereby the world entities of both families (before sinceWorldAlone).
	worlds bool
	// spreads says that, as such a peer of a deny, it reaches addresses, too, which another rule lets in by name (before sinceDeniesByLabel).
	spreads bool
}

// block is a CIDR without its exceptions.
type block struct {
	prefix netip.Prefix
	except []netip.Prefix
	// apart says that the blocks are meant which the exceptions leave, each by itself, and no world entity (before sinceExceptsSelected).
	apart bool
}

// reach says which endpoints an unjudged peer may turn out to match.
type reach uint8

const (
	reachWorld reach = iota
	reachNodes
	reachAnything
)

// answer is the three-valued result of matching.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

// matches says whether the peer is the endpoint.
func (p *peer) matches(e *Endpoint, id identity) answer {
	switch {
	case p.unjudged != "":
		if p.mayMatch(e) {
			return maybe
		}
		return no
	case p.block != nil:
		if p.block.matches(e) && (e.Address.IsValid() || !p.aggregate) {
			return yes
		}
	case p.group != nil:
		return p.group.matches(e, id)
	case p.selector.matches(id), p.worlds && (e.Entity == EntityWorldIPv4 || e.Entity == EntityWorldIPv6):
		return yes
	case p.spreads && e.Address.IsValid():
		return maybe
	}
	return no
}

// why names what cannot be judged where matches says maybe.
func (p *peer) why() string {
	if p.spreads {
		return spreading
	}
	return cmp.Or(p.unjudged, unlikeGroups)
}

// spreading names what cannot be judged of a peer that spreads.
const spreading = "a deny of entity world without those of both families"

// isPods says that the peer is told by its labels, as pods are.
func (p *peer) isPods() bool {
	return p.unjudged == "" && p.block == nil && (p.group == nil || p.group.everywhere)
}

func (p *peer) mayMatch(e *Endpoint) bool {
	switch p.may {
	case reachWorld:
		return isWorld(e)
	case reachNodes:
		return e.Entity == EntityHost || e.Entity == EntityRemoteNode || e.Entity == EntityKubeAPIServer
	default:
		return true
	}
}

func isWorld(e *Endpoint) bool {
	return e.Address.IsValid() || e.Entity == EntityWorld || e.Entity == EntityWorldIPv4 || e.Entity == EntityWorldIPv6
}

// matches says whether a source outside the cluster lies in the block. Sources inside never do: with the default
// policy-cidr-match-mode Cilium applies blocks to neither pods nor nodes nor the gateway. A world entity without an address
// stands for addresses that no policy names, which only a block of length 0 holds.
func (b *block) matches(e *Endpoint) bool {
	switch {
	case e.Address.IsValid():
		return b.prefix.Contains(e.Address) && !slices.ContainsFunc(b.except, func(p netip.Prefix) bool { return p.Contains(e.Address) })
	case b.prefix.Bits() > 0 || b.apart:
		return false
	case slices.ContainsFunc(b.except, func(p netip.Prefix) bool { return p.Bits() == 0 }):
		return false
	default:
		return e.Entity == worldOf(b.prefix.Addr())
	}
}

// entitySelectors lists the selectors of an entity (cilium pkg/policy/api EntitySelectorMapping, without the labels that Cilium
// uses to aggregate its maps).
func entitySelectors(e api.Entity) []selector {
	switch e {
	case api.EntityAll:
		return []selector{{}}
	case api.EntityWorld:
		return []selector{reserved(EntityWorld), reserved(EntityWorldIPv4), reserved(EntityWorldIPv6)}
	case api.EntityCluster:
		return append(clusterSelectors(), selector{equals(sourceK8s, keyCluster, localCluster)})
	case api.EntityClusterMesh:
		return append(clusterSelectors(), selector{present(sourceAny, keyCluster)})
	default:
		return []selector{reserved(string(e))}
	}
}

// clusterSelectors are the reserved identities inside a cluster, the gateway among them.
func clusterSelectors() []selector {
	var s []selector
	for _, name := range []string{
		EntityHost, EntityRemoteNode, EntityInit, EntityIngress, EntityHealth, EntityUnmanaged, EntityKubeAPIServer,
	} {
		s = append(s, reserved(name))
	}
	return s
}

func entityPeers(entities api.EntitySlice) []peer {
	var peers []peer
	for _, e := range entities {
		for _, s := range entitySelectors(e) {
			peers = append(peers, peer{selector: s})
		}
	}
	return peers
}

// cidrPeers reads addresses and blocks; Sanitize has parsed them before.
func cidrPeers(cidrs api.CIDRSlice, rules api.CIDRRuleSlice) []peer {
	var peers []peer
	for _, c := range cidrs {
		if prefix, ok := prefixOf(string(c)); ok {
			peers = append(peers, peer{block: &block{prefix: prefix}})
		}
	}
	for _, r := range rules {
		if r.CIDRGroupRef != "" || r.CIDRGroupSelector.LabelSelector != nil {
			peers = append(peers, peer{group: cidrGroupOf(r)})
			continue
		}
		prefix, ok := prefixOf(string(r.Cidr))
		if !ok {
			continue
		}
		peers = append(peers, peer{block: &block{prefix: prefix, except: prefixesOf(r.ExceptCIDRs)}})
	}
	return peers
}

// prefixesOf leaves out what is none.
func prefixesOf(cidrs []api.CIDR) []netip.Prefix {
	var list []netip.Prefix
	for _, c := range cidrs {
		if prefix, ok := prefixOf(string(c)); ok {
			list = append(list, prefix)
		}
	}
	return list
}

func prefixOf(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
