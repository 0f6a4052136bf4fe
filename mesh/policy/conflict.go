// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/cilium/pkg/policy/api"
)

// redirect is what an element of toPorts asks of Cilium's proxy.
type redirect struct {
	parser parser
	// listener names a listener of Envoy and its priority, where one is meant.
	listener string
	priority uint16
	// names says that server names are listed, l7 that requests are.
	names, l7 bool
	// terminating and originating name the Secret with which TLS ends, or begins, at the proxy.
	terminating, originating string
	// namespaced says that the listener is one of the subject's namespace.
	namespaced bool
}

// parser is the protocol that the proxy speaks (cilium pkg/policy L7ParserType).
type parser uint8

const (
	parserNone parser = iota
	parserTLS
	parserHTTP
	parserDNS
	parserListener
)

// redirectOf is what an element asks for traffic of one protocol; HTTP is for TCP alone.
func redirectOf(r api.PortRule, protocol Protocol) redirect {
	to := redirect{names: len(r.ServerNames) > 0, l7: !r.Rules.IsEmpty()}
	to.terminating, to.originating = secretOf(r.TerminatingTLS), secretOf(r.OriginatingTLS)
	if to.names || to.terminating+to.originating != "" {
		to.parser = parserTLS
	}
	if r.Rules != nil && len(r.Rules.DNS) > 0 {
		to.parser = parserDNS
	} else if r.Rules != nil && len(r.Rules.HTTP) > 0 && protocol == TCP {
		to.parser = parserHTTP
	}
	if l := r.Listener; l != nil {
		to.parser, to.priority = parserListener, uint16(l.Priority)
		kind := ""
		if l.EnvoyConfig != nil {
			kind = l.EnvoyConfig.Kind
			to.listener = l.EnvoyConfig.Name
		}
		to.listener = kind + "/" + to.listener + "/" + l.Name
		to.namespaced = kind == "CiliumEnvoyConfig"
	}
	return to
}

// conflictsWith says over what Cilium cannot merge two allows for one peer and port; empty if it can.
func (t redirect) conflictsWith(o redirect) string {
	low, high := min(t.parser, o.parser), max(t.parser, o.parser)
	switch {
	case low != parserNone && low != high && (low != parserTLS || high != parserHTTP):
		return "the protocol of layer 7"
	case differ(t.listener, o.listener) && t.priority == o.priority:
		return "the listener"
	case differ(t.terminating, o.terminating) || differ(t.originating, o.originating):
		return "the Secret of TLS"
	}
	return ""
}

// besideNames says that server names meet rules for layer 7, which needs TLS to end at the proxy. Cilium looks for it whenever it adds one
// rule to others, whatever that asks for, but not when it adds rules for layer 7 to names, so that the order counts (pkg/policy
// mergePortProto): that of elements of one toPorts is known.
func (c claim) besideNames(earlier claim) bool {
	t, o := c.redirect, earlier.redirect
	if t.terminating+o.terminating != "" {
		return false
	}
	return o.l7 && (t.names || o.names) || t.l7 && (t.names || o.names) && c.rule != earlier.rule
}

// after is the claim with the server names of earlier ones of its rule, to which Cilium has added it.
func (c claim) after(earlier []claim) claim {
	for _, o := range earlier {
		c.redirect.names = c.redirect.names || c.redirect.l7 && o.redirect.names && c.rule == o.rule
	}
	return c
}

// mixesNames says that the rule has server names and rules for layer 7.
func (r *rule) mixesNames() bool {
	return slices.ContainsFunc(r.ports, func(p port) bool { return p.asks().names }) &&
		slices.ContainsFunc(r.ports, func(p port) bool { return p.asks().l7 })
}

// differ says whether both ask for something, and not for the same.
func differ(a, b string) bool { return a != b && a != "" && b != "" }

func secretOf(tls *api.TLSContext) string {
	switch {
	case tls == nil:
		return ""
	case tls.Secret == nil:
		return "/"
	default:
		return tls.Secret.Namespace + "/" + tls.Secret.Name
	}
}

// claim is what one rule asks for one peer on one port.
type claim struct {
	key string
	// nobody says that the peer is entity none, which Cilium does not merge.
	nobody   bool
	rule     *rule
	auth     authMode
	redirect redirect
}

func (c claim) conflictsWith(o claim) string {
	if c.auth != o.auth && c.auth != authUnset && o.auth != authUnset {
		return "authentication"
	}
	if over := c.redirect.conflictsWith(o.redirect); over != "" {
		return over
	}
	if c.besideNames(o) {
		return "server names beside layer 7 rules"
	}
	return ""
}

// conflict is why Cilium cannot compute an endpoint's policy, and a rule without which it could try again. The zero conflict is none.
type conflict struct {
	why string
	by  *rule
}

// conflict says which of the rules for an endpoint, those of both directions, Cilium cannot merge. That it computes no policy comes before that it computes
// one which is not judged.
func (s *Set) conflict(e Endpoint, rules []*rule) conflict {
	if c := s.unmerged(e, rules); c.by != nil || s.cilium >= sinceZeroRanges {
		return c
	}
	return fromZeroAmong(rules)
}

// mayConflict says whether there is anything about rules that could be a conflict; there is nothing about most.
func (s *Set) mayConflict(rules [][]*rule) bool {
	return s.cilium < sinceZeroRanges || slices.ContainsFunc(rules, func(rules []*rule) bool {
		return slices.ContainsFunc(rules, func(r *rule) bool { return r.demanding })
	})
}

// unmerged says which rules for one subject Cilium cannot merge.
func (s *Set) unmerged(e Endpoint, rules []*rule) conflict {
	if !slices.ContainsFunc(rules, func(r *rule) bool { return r.demanding }) {
		return conflict{}
	}
	if s.cilium < sinceParsersByPeer {
		if c := parsersAmong(rules); c.by != nil {
			return c
		}
	}
	return s.conflictAmong(e, rules)
}

// fromZeroAmong says which rule has a range of ports that begins with 0 (before sinceZeroRanges).
func fromZeroAmong(rules []*rule) conflict {
	for _, r := range rules {
		if slices.ContainsFunc(r.ports, func(p port) bool { return p.zero }) {
			return conflict{r.place() + " has a range of ports that begins with 0, part of which Cilium takes for every port", r}
		}
	}
	return conflict{}
}

// parsersAmong says which rules ask for different protocols of the proxy on one port, whatever their peers (before sinceParsersByPeer).
func parsersAmong(rules []*rule) conflict {
	asked := map[string][]claim{}
	for _, r := range rules {
		if r.deny || !r.anyPeer && len(r.peers) == 0 {
			continue
		}
		for _, p := range r.ports {
			c := claim{key: p.key(r.direction), rule: r, redirect: redirect{parser: p.asks().parser}}
			for _, o := range asked[c.key] {
				if over := c.redirect.conflictsWith(o.redirect); over != "" {
					return conflict{fmt.Sprintf("Cilium cannot merge %s and %s, which differ in %s", o.rule.place(), r.place(), over), r}
				}
			}
			asked[c.key] = append(asked[c.key], c)
		}
	}
	return conflict{}
}

// key names the port as Cilium's maps of rules do.
func (p port) key(d direction) string {
	if p.name != "" {
		return fmt.Sprintf("%d %s %s", d, p.protocol, p.name)
	}
	return fmt.Sprintf("%d %s %s %d-%d", d, p.protocol, p.name, p.first, p.last)
}

// conflictAmong says which rules for one subject Cilium cannot merge; none for most. It then computes no policy at all for the endpoint,
// which keeps what it had: an endpoint that is new has none (cilium pkg/policy mergePortProto).
func (s *Set) conflictAmong(subject Endpoint, rules []*rule) conflict {
	claims := map[string][]claim{}
	mixed := slices.ContainsFunc(rules, (*rule).mixesNames)
	for _, r := range rules {
		if r.deny || !r.demanding && !mixed {
			continue
		}
		for _, c := range r.claims(s.cluster) {
			if c.redirect.namespaced && subject.Namespace == "" {
				return conflict{r.place() + " names a listener of a namespace, which " + subject.String() + " has not", r}
			}
			if c.nobody {
				continue
			}
			c = c.after(claims[c.key])
			for _, other := range claims[c.key] {
				if over := c.conflictsWith(other); over != "" {
					return conflict{fmt.Sprintf("Cilium cannot merge %s and %s, which differ in %s", other.rule.place(), r.place(), over), r}
				}
			}
			claims[c.key] = append(claims[c.key], c)
		}
	}
	return conflict{}
}

// mend is the sentence that tells how to end the conflict.
func (c conflict) mend() string {
	return "Let both rules ask for the same, or empty one (" + c.by.emptied() + ") and apply the policy below."
}

// claims are what a rule asks for, by direction, port and peer, in a cluster of a name.
func (r *rule) claims(cluster string) []claim {
	var peers []string
	if r.anyPeer {
		peers = []string{""}
	}
	for _, p := range r.peers {
		peers = append(peers, p.keys(cluster)...)
	}
	ports := r.ports
	if r.anyPort {
		ports = []port{{protocol: "ANY"}}
	}
	var list []claim
	none := reserved(string(api.EntityNone)).written(cluster)
	for _, peer := range peers {
		for _, p := range ports {
			list = append(list, claim{key: p.key(r.direction) + " " + peer, nobody: peer == none, rule: r, auth: r.auth, redirect: p.asks()})
		}
	}
	return list
}

// keys name the peer as the cache of selectors does of a Cilium that knows its cluster by a name: equal peers are one.
func (p *peer) keys(cluster string) []string {
	switch {
	case p.unjudged != "" || p.aggregate:
		return nil
	case p.group != nil:
		return []string{p.group.String()}
	case p.block == nil:
		return []string{p.selector.written(cluster)}
	case p.block.apart:
		var keys []string
		for _, b := range p.block.rest() {
			keys = append(keys, (&block{prefix: b}).String())
		}
		return keys
	case p.block.prefix.Bits() == 0 && len(p.block.except) == 0:
		return []string{p.block.prefix.String(), reserved(worldOf(p.block.prefix.Addr())).written(cluster)}
	default:
		return []string{p.block.String()}
	}
}

// String is the block and its exceptions.
func (b *block) String() string { return fmt.Sprint(b.prefix, b.except) }

// written is the selector's requirements, sorted. Whoever names the cluster asks for the same as a selector that means it and says nothing.
func (s selector) written(cluster string) string {
	words := make([]string, 0, len(s))
	for _, r := range s {
		values := slices.Sorted(slices.Values(r.values))
		if i := slices.Index(values, cluster); r.key == keyCluster && i >= 0 {
			values[i] = localCluster
			slices.Sort(values)
		}
		words = append(words, fmt.Sprintf("%s:%s %d %q", r.source, r.key, r.op, values))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
