// SPDX-License-Identifier: Apache-2.0

// Package catalog explains every code of a finding: what it means, why there is such a rule, what a refusal looks like and how to mend
// it. `daprise explain` prints it and docs/rules.md is generated from it. It is pure.
package catalog

import (
	"cmp"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// Rule explains one code.
type Rule struct {
	Code mesh.Code
	// Title is a few words, without a full stop.
	Title string
	// Severity is what a finding does at admission by itself. For coverage (DPR1xx) it is what it does in namespaces of mode enforce and
	// strict; warn and audit make it milder.
	Severity mesh.Severity
	// Means says what has been found, and Why what would go wrong.
	Means string
	Why   string
	// Example is the text of a finding, without the manifest that some have below, or empty for a code that is kept for a rule to come.
	Example string
	// Mend says what to do, step by step where it takes several.
	Mend string
}

// Rules are all rules, in the order of their codes.
func Rules() []Rule {
	rules := slices.Concat(
		coverageRules(), effectRules(), hintRules(),
		routeMeaningRules(), routeReferenceRules(), routeFormRules(),
		enrolmentRules(), companionRules(), caveatRules(), environmentRules(), suppressionRules(),
	)
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Code, b.Code) })
	return rules
}

// Find is the rule of a code.
func Find(code mesh.Code) (Rule, bool) {
	rules := Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Code == code })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
