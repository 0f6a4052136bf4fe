// SPDX-License-Identifier: Apache-2.0

package policy

import "net/netip"

// aggregates are the peers that a selector reaches beside those it matches. Cilium 1.20 looks each peer up a second time, as one of the
// identities that stand for all pods of this cluster, of other clusters, and for all addresses outside. These have a single label
// each, so that a selector which only asks for labels to be absent, and gets no namespace because it names a reserved label, matches
// them (cilium pkg/policy aggregate.go).
func aggregates(s selector) []peer {
	var peers []peer
	add := func(name string, p peer) {
		if s.matches(identity{{sourceReserved, "aggregate-" + name, ""}}) {
			p.aggregate = true
			peers = append(peers, p)
		}
	}
	if len(s) == 0 {
		return nil
	}
	add("cluster", peer{selector: selector{equals(sourceK8s, keyCluster, localCluster)}})
	add("cluster-mesh", peer{selector: selector{
		present(sourceK8s, keyCluster), {source: sourceK8s, key: keyCluster, op: notIn, values: []string{localCluster}},
	}})
	for _, all := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		add("world", peer{block: &block{prefix: netip.PrefixFrom(all, 0)}})
	}
	return peers
}
