// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

// TestMisspeltOrElsewhere: an app ID that a policy selects is told as misspelt (DPR111) while no app of the cluster has it, and no more once an app
// of another namespace does.
func TestMisspeltOrElsewhere(t *testing.T) {
	const here, elsewhere = "misspelt", "misspelt-elsewhere"
	namespace(t, here)
	namespace(t, elsewhere)
	apply(t, strings.ReplaceAll(in(here, policies), "app-id: whoami", "app-id: whoamx"))
	if out := apply(t, in(here, service)); !strings.Contains(out, "DPR111") {
		t.Errorf("nobody has the app ID whoamx, and nothing is said of it:\n%s", out)
	}
	apply(t, strings.ReplaceAll(in(elsewhere, service), "whoami", "whoamx"))
	// Caches tell of it a moment later.
	cluster.Eventually(t, func() error {
		kubectl(t, "delete", "service", "whoami", "-n", here)
		switch out := apply(t, in(here, service)); {
		case !strings.Contains(out, "DPR101"):
			return fmt.Errorf("not open any more: %s", out)
		case strings.Contains(out, "DPR111"):
			return fmt.Errorf("an app elsewhere has the app ID whoamx; said: %s", out)
		}
		return nil
	})
}
