// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/types"
)

// protocolBits is the length of the protocol in the datapath's key, before the port.
const protocolBits = 8

// found is the entry with the longest prefix among those of one identity.
type found struct {
	deny   bool
	prefix int
}

// lookUp says whether a flow passes, as the datapath decides it (bpf/lib/policy.h __policy_can_access): the entry of the peer's identity,
// if it denies; else the entry of every identity, if it denies; else either allows. Which of two that allow counts decides over the proxy
// alone.
func lookUp(p *policy.EndpointPolicy, key types.Key) bool {
	own, every := longest(p, key), longest(p, key.WithIdentity(0))
	return (own != nil || every != nil) && (own == nil || !own.deny) && (every == nil || !every.deny)
}

func longest(p *policy.EndpointPolicy, key types.Key) *found {
	var best *found
	for k, entry := range p.Entries() {
		if k.Identity != key.Identity || k.TrafficDirection() != key.TrafficDirection() || !holds(k, key) {
			continue
		}
		prefix := 0
		if k.Nexthdr != 0 {
			prefix = protocolBits + int(k.PortPrefixLen())
		}
		if best == nil || prefix > best.prefix {
			best = &found{deny: entry.IsDeny(), prefix: prefix}
		}
	}
	return best
}

// holds says whether an entry is about the protocol and port of a flow.
func holds(k, flow types.Key) bool {
	if k.Nexthdr == 0 {
		return true
	}
	return k.Nexthdr == flow.Nexthdr && k.DestPort <= flow.DestPort && flow.DestPort <= k.EndPort()
}
