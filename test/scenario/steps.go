// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
)

// Step is one thing a user does, and what must hold after it.
type Step struct {
	// Name is a sentence for the reader.
	Name string
	Play func(context.Context, *Player) error
}

// Steps is the whole scenario in its order. Each step builds on those before it.
func Steps() []Step {
	return []Step{
		{"An app as any team has it: a Gateway, whoami in two versions, a traffic split. Nothing is in the mesh", applyPlain},
		{"Enrol the Gateway and the app, with one annotation each", annotate},
		{"No policy protects the companions yet, so they are held, and a route through them is refused", refuseOpenRoute},
		{"With the two policies applied, the companions start", startCompanions},
		{"The route is admitted now, and goes through the companions", admitRoute},
		{"Applying the same manifest again changes nothing", applyAgain},
		{"The traffic split behind the companion is left alone", keepSplit},
		{"A policy that a live companion needs cannot be deleted", refusePolicyDeletion},
		{"Closing everything in an emergency is always admitted, with a warning", admitQuarantine},
		{"Un-annotated, everything is as it was", leave},
	}
}
