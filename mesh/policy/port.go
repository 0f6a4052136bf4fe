// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strconv"
	"strings"

	"github.com/cilium/cilium/pkg/policy/api"
)

// Protocol is the name of a transport protocol as policies write it: "TCP", "UDP", "SCTP", "ICMP", "ICMPV6".
type Protocol string

// TCP is the protocol of every port of a companion.
const TCP Protocol = "TCP"

// maxPort is the highest number of a port.
const maxPort int32 = 65535

// unevenRange names what unevenNames finds.
const unevenRange = "a range of ports that begins with a name and ends differently in other rules"

// port is one element of toPorts, expanded to one protocol.
type port struct {
	protocol Protocol
	// first and last bound the numbers; first 0 is every port.
	first, last int32
	// name is a named port, resolved at the destination; then first is 0 and last the end of the range, if it has one.
	name string
	// redirect is what it asks of Cilium's proxy, nil for most (asks).
	redirect *redirect
	l7       layer7
	// untyped says that there are rules for layer 7 which no type of ours can hold, or none at all: "rules: {}".
	untyped bool
	// rangeOut says that a range which begins with a name is one at egress, too (before sinceNamesAlone).
	rangeOut bool
	// zero says that the range begins with 0 (before sinceZeroIsEvery).
	zero bool
}

// asks is what the port asks of Cilium's proxy.
func (p *port) asks() redirect {
	if p.redirect == nil {
		return redirect{}
	}
	return *p.redirect
}

// kept is a redirect as policies keep it: they are many, and few ask for anything.
func kept(asked redirect) *redirect {
	if asked == (redirect{}) {
		return nil
	}
	return &asked
}

// layer7 says what a port's rules ask of the traffic beyond its port.
type layer7 uint8

const (
	// l7None admits all traffic to the port.
	l7None layer7 = iota
	// l7All goes through a proxy that lets every request pass.
	l7All
	// l7Requests goes through a proxy that lets some requests pass, and all others too where nothing closes the direction (cilium
	// pkg/policy createL4Filter).
	l7Requests
	// l7Part goes through a proxy that lets some requests pass.
	l7Part
)

// matches says whether traffic to a destination is meant, by a rule of one direction. A name that the destination does not have
// matches nothing. A range may begin with a name at ingress; at egress Cilium takes the name alone (pkg/policy toMapState).
func (p *port) matches(d direction, to destination) bool {
	if p.protocol != to.protocol {
		return false
	}
	first, last := p.first, p.last
	if p.name != "" {
		n, ok := to.names[p.name]
		if !ok || p.protocol != TCP {
			return false
		}
		first, last = n, max(n, p.last)
		if d == egress && !p.rangeOut {
			last = n
		}
	}
	return first == 0 || (first <= to.port && to.port <= last)
}

// isRange says whether the destination's port is meant as part of a range that begins with a name, beyond the name itself.
func (p *port) isRange(to destination) bool { return p.name != "" && to.names[p.name] != to.port }

// unevenNames are the names with which rules for one endpoint begin different ranges: Cilium makes one range of them, which one depends
// on the order in which it met the rules (pkg/policy L4PolicyMap).
func unevenNames(rules []*rule) map[string]bool {
	var ends map[string]int32
	var uneven map[string]bool
	for _, r := range rules {
		for i := range r.ports {
			p := &r.ports[i]
			if p.name == "" || p.protocol != TCP {
				continue
			}
			if ends == nil {
				ends, uneven = map[string]int32{}, map[string]bool{}
			}
			if end, ok := ends[p.name]; ok && end != p.last {
				uneven[p.name] = true
			}
			ends[p.name] = p.last
		}
	}
	return uneven
}

// portRules expands toPorts and icmps. No element at all is every port; elements without a port match nothing.
func portRules(rules api.PortRules, icmps api.ICMPRules) (ports []port, all bool) {
	for _, r := range rules {
		for _, pp := range r.Ports {
			for _, p := range expand(pp) {
				p.l7, p.redirect = layer7Of(r), kept(redirectOf(r, p.protocol))
				p.untyped = r.Rules != nil && p.l7 == l7None
				ports = append(ports, p)
			}
		}
	}
	for _, r := range icmps {
		for _, f := range r.Fields {
			ports = append(ports, expand(*f.PortProtocol())...)
		}
	}
	return ports, len(rules)+len(icmps) == 0
}

// expand makes ANY the three protocols with ports (cilium pkg/policy mergeL4Filter).
func expand(pp api.PortProtocol) []port {
	protocols := []Protocol{Protocol(strings.ToUpper(string(pp.Protocol)))}
	if pp.Protocol.IsAny() {
		protocols = []Protocol{"TCP", "UDP", "SCTP"}
	}
	ports := make([]port, 0, len(protocols))
	for _, protocol := range protocols {
		p := port{protocol: protocol}
		if isName(pp.Port) {
			p.name, p.last = strings.ToLower(pp.Port), pp.EndPort
		} else {
			// Sanitize has parsed the number before.
			number, _ := strconv.ParseUint(pp.Port, 0, 16)
			p.first, p.last = int32(number), max(int32(number), pp.EndPort)
		}
		ports = append(ports, p)
	}
	return ports
}

// maxServiceName is the length of the longest service name (RFC 6335, section 5.1).
const maxServiceName = 15

// isName tells a service name from a number: letters, digits and single hyphens inside, a letter among them (RFC 6335, section 5.1;
// cilium pkg/iana).
func isName(s string) bool {
	if len(s) > maxServiceName || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") || strings.Contains(s, "--") {
		return false
	}
	letters := 0
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letters++
		case '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return letters > 0
}

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
	return l7Requests
}
