// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/cilium/cilium/pkg/policy/api"
)

// Protocol is the name of a transport protocol as policies write it: "TCP", "UDP", "SCTP", "ICMP", "ICMPV6".
type Protocol string

// TCP is the protocol of every port of a companion.
const TCP Protocol = "TCP"

// port is one element of toPorts, expanded to one protocol.
type port struct {
	protocol Protocol
	// first and last bound the numbers; first 0 is every port.
	first, last int32
	// name is a named port, resolved at the destination; then first and last are 0.
	name string
	l7   layer7
}

// layer7 says what a port's rules ask of the traffic beyond its port.
type layer7 uint8

const (
	// l7None admits all traffic to the port.
	l7None layer7 = iota
	// l7All goes through a proxy that lets every request pass.
	l7All
	// l7Part goes through a proxy that lets some requests pass.
	l7Part
)

// matches says whether traffic to a number of a protocol at the destination is meant. A name that the destination does not have
// matches nothing.
func (p port) matches(protocol Protocol, number int32, names map[string]int32) bool {
	if p.protocol != protocol {
		return false
	}
	if p.name != "" {
		n, ok := names[p.name]
		return ok && n == number
	}
	return p.first == 0 || (p.first <= number && number <= p.last)
}

// portRules expands toPorts and icmps. No element at all is every port; elements without a port match nothing.
func portRules(rules api.PortRules, icmps api.ICMPRules) (ports []port, all bool) {
	for _, r := range rules {
		for _, pp := range r.Ports {
			ports = append(ports, expand(pp, layer7Of(r))...)
		}
	}
	for _, r := range icmps {
		for _, f := range r.Fields {
			ports = append(ports, expand(*f.PortProtocol(), l7None)...)
		}
	}
	return ports, len(rules)+len(icmps) == 0
}

// expand makes ANY the three protocols with ports (cilium pkg/policy mergeL4Filter).
func expand(pp api.PortProtocol, l7 layer7) []port {
	protocols := []Protocol{Protocol(strings.ToUpper(string(pp.Protocol)))}
	if pp.Protocol.IsAny() {
		protocols = []Protocol{"TCP", "UDP", "SCTP"}
	}
	ports := make([]port, 0, len(protocols))
	for _, protocol := range protocols {
		p := port{protocol: protocol, l7: l7}
		if isName(pp.Port) {
			p.name = strings.ToLower(pp.Port)
		} else {
			// Sanitize has parsed the number before.
			number, _ := strconv.ParseUint(pp.Port, 0, 16)
			p.first, p.last = int32(number), max(int32(number), pp.EndPort)
		}
		if isICMP(protocol) && p.first == 0 {
			p.last = 0
		}
		ports = append(ports, p)
	}
	return ports
}

// isName tells a service name from a number (RFC 6335, section 5.1; cilium pkg/iana).
func isName(s string) bool {
	matched, _ := regexp.MatchString(`^([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$`, s)
	return matched && len(s) <= 15
}

func isICMP(p Protocol) bool { return p == "ICMP" || p == "ICMPV6" }

// layer7Of judges the rules of one element of toPorts. An HTTP rule without conditions and a DNS pattern "*" let all pass.
func layer7Of(r api.PortRule) layer7 {
	if r.Listener != nil || r.TerminatingTLS != nil || r.OriginatingTLS != nil || len(r.ServerNames) > 0 {
		return l7Part
	}
	if r.Rules.IsEmpty() {
		return l7None
	}
	for _, h := range r.Rules.HTTP {
		if h.Path == "" && h.Method == "" && h.Host == "" && len(h.Headers) == 0 && len(h.HeaderMatches) == 0 {
			return l7All
		}
	}
	for _, d := range r.Rules.DNS {
		if d.MatchPattern == "*" {
			return l7All
		}
	}
	return l7Part
}
