// SPDX-License-Identifier: Apache-2.0

package mutate

import "github.com/daprise/daprise/mesh"

// direct is one of the user's rules: a rule that names no companion, and the rules of the object as received that it stands for.
type direct struct {
	*rule
	// from and to delimit the rules as received, to exclusive.
	from, to int
	// undone says that rule is not the rule as received.
	undone bool
	// proof is the record's, if the rules as received are what daprise made of the whole of this rule.
	proof *proof
	// deny is set where the rule as received names a companion and cannot be read: rule is then that rule.
	deny *mesh.Finding
}

// undo gives the user's rules: those of the record for rules that daprise made, the direct meaning of rules that go through a
// companion otherwise (the seed's hand-written form, an edited rewritten rule, a rewritten rule whose record was lost), and every
// other rule as it is. It is the first half of a mutation and depends on the enrolment only where the record does not help.
func (m *mutation) undo() ([]direct, error) {
	a := m.openArchive()
	received := make([]*rule, len(m.route.Spec.Rules))
	for i, raw := range m.route.Spec.Rules {
		r, err := decodeRule(m.kind, raw)
		if err != nil {
			return nil, err
		}
		received[i] = r
	}
	rules := make([]direct, 0, len(received))
	for i := 0; i < len(received); {
		d, err := m.undoOne(a, received, i)
		if err != nil {
			return nil, err
		}
		rules = append(rules, d)
		i = d.to
	}
	return rules, nil
}

func (m *mutation) undoOne(a *archive, received []*rule, i int) (direct, error) {
	p, part, err := a.find(received[i])
	if err != nil {
		return direct{}, err
	}
	switch {
	case p == nil:
		return m.adopt(received[i], i)
	case len(p.hashes) == 1:
		return direct{rule: p.original, from: i, to: i + 1, undone: true, proof: p}, nil
	case part == 0 && wholeGroup(p, received[i:]):
		return direct{rule: p.original, from: i, to: i + len(p.hashes), undone: true, proof: p}, nil
	}
	r, err := p.restricted(m.kind, part)
	return direct{rule: r, from: i, to: i + 1, undone: true}, err
}

// wholeGroup says whether rules begin with all parts of a split rule, in order.
func wholeGroup(p *proof, rules []*rule) bool {
	if len(rules) < len(p.hashes) {
		return false
	}
	for i, want := range p.hashes {
		canonical, err := rules[i].canonicalJSON()
		if err != nil || hash(canonical) != want {
			return false
		}
	}
	return true
}
