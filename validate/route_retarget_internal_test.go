// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
)

// TestSome: those that come first and the number of all are what a look at each gives.
func TestSome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := func(what string) mesh.AppRef {
			return mesh.AppRef{ID: rapid.SampledFrom([]string{"a", "a-b", "b", "c"}).Draw(t, what), Namespace: rapid.SampledFrom([]string{"x", "y"}).Draw(t, what+" in")}
		}
		var apps []mesh.AppRoutes
		for range rapid.IntRange(0, 12).Draw(t, "apps") {
			apps = append(apps, mesh.AppRoutes{App: ref("app"), Routes: rapid.IntRange(1, 3).Draw(t, "routes")})
		}
		slices.SortStableFunc(apps, func(a, b mesh.AppRoutes) int { return strings.Compare(a.App.String(), b.App.String()) })
		apps = slices.CompactFunc(apps, func(a, b mesh.AppRoutes) bool { return a.App == b.App })
		var doubt []mesh.AppRef
		own := map[mesh.AppRef]int{}
		for range rapid.IntRange(0, 4).Draw(t, "in doubt") {
			app := ref("doubt")
			doubt = append(doubt, app)
			own[app] = rapid.IntRange(0, 3).Draw(t, "own")
		}
		counts := func(a mesh.AppRoutes) bool { return a.Routes > own[a.App] }
		var all []string
		for _, a := range apps {
			if counts(a) {
				all = append(all, a.App.String())
			}
		}
		first, count := some(apps, counts, doubt)
		if diff := cmp.Diff(all[:min(named, len(all))], first); diff != "" || count != len(all) {
			t.Fatalf("%d, want %d (-want +got):\n%s", count, len(all), diff)
		}
	})
}
