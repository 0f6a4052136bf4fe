// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// TestIsName compares with the expression that Cilium has for service names (pkg/iana).
func TestIsName(t *testing.T) {
	expression := regexp.MustCompile(`^([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-zA-Z0-9_-]{0,17}|[a-z0-9-]{0,5}`).Draw(t, "s")
		if want := expression.MatchString(s) && len(s) <= 15; isName(s) != want {
			t.Fatalf("%q is a name: %v, want %v", s, !want, want)
		}
	})
}
