// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
)

// ReadsNamespaceLabels says whether another set of labels on a namespace may make a difference to any verdict: whether a policy selects by
// a label, of itself or of a peer, that only one of them has or that has another value in the other, or Cilium itself goes by one. Where none
// does, the pods of that namespace match what they matched before.
func (s *Set) ReadsNamespaceLabels(before, after map[string]string) bool {
	changed := map[string]bool{}
	for key := range before {
		changed[key] = true
	}
	for key, value := range after {
		if old, had := before[key]; had && old == value {
			delete(changed, key)
		} else {
			changed[key] = true
		}
	}
	if changed[labelZtunnel] {
		return true
	}
	reads := func(sel selector) bool {
		return slices.ContainsFunc(sel, func(r requirement) bool {
			key, ok := strings.CutPrefix(r.key, keyNamespaceLabels+".")
			return ok && changed[key]
		})
	}
	for _, b := range s.buckets {
		for _, p := range b.policies {
			if len(changed) > 0 && p.selectsBy(reads) {
				return true
			}
		}
	}
	return false
}

// selectsBy asks of every selector of the policy, in any release of Cilium.
func (p *Policy) selectsBy(ask func(selector) bool) bool {
	if p.newer != nil {
		p = p.newer
	}
	if slices.ContainsFunc(p.subject, ask) {
		return true
	}
	for _, r := range p.rules {
		if ask(r.subject) || slices.ContainsFunc(r.peers, func(p peer) bool { return ask(p.selector) }) ||
			slices.ContainsFunc(r.former, func(f formerPeer) bool { return ask(f.peer.selector) }) {
			return true
		}
	}
	return false
}
