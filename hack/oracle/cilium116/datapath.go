// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/bits"

	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/trafficdirection"
)

const (
	// protocolBits is the length of the protocol in the datapath's key, before the port.
	protocolBits = 8
	// fullPrefix is the length of a key that leaves nothing open.
	fullPrefix = protocolBits + 16
)

// key is what the datapath looks up.
type key struct {
	peer      uint32
	direction trafficdirection.TrafficDirection
	protocol  uint8
	port      uint16
}

// found is the entry with the longest prefix among those of one identity.
type found struct {
	deny   bool
	prefix int
}

// lookUp says whether a flow passes, as the datapath decides it (bpf/lib/policy.h __policy_can_access): the entry with the longer prefix of
// that of the peer's identity and that of every identity, the former if they are equal.
func lookUp(p *policy.EndpointPolicy, k key) bool {
	own := longest(p, k)
	if own != nil && own.prefix == fullPrefix {
		return !own.deny
	}
	k.peer = 0
	every := longest(p, k)
	switch {
	case every != nil && (own == nil || every.prefix > own.prefix):
		return !every.deny
	case own != nil:
		return !own.deny
	default:
		return false
	}
}

func longest(p *policy.EndpointPolicy, k key) *found {
	var best *found
	p.GetPolicyMap().ForEach(func(other policy.Key, entry policy.MapStateEntry) bool {
		if other.Identity != k.peer || other.TrafficDirection != k.direction.Uint8() || !k.within(other) {
			return true
		}
		prefix := 0
		if other.Nexthdr != 0 {
			prefix = protocolBits + bits.OnesCount16(other.PortMask())
		}
		if best == nil || prefix > best.prefix {
			best = &found{deny: entry.IsDeny, prefix: prefix}
		}
		return true
	})
	return best
}

// within says whether an entry is about the protocol and port.
func (k key) within(entry policy.Key) bool {
	if entry.Nexthdr == 0 {
		return true
	}
	return entry.Nexthdr == k.protocol && entry.DestPort <= k.port && k.port <= entry.EndPort()
}
