// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
)

func TestSuppressions(t *testing.T) {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		want        []mesh.Suppression
		err         string
	}{
		{name: "one", value: "DPR110=legacy clients until 2026-12-31", want: []mesh.Suppression{{Code: "DPR110", Reason: "legacy clients", Until: day}}},
		{
			name: "two, with an until in the reason", value: " DPR110=not until June until 2026-12-31 ;DPR211=x=y until 2026-12-31",
			want: []mesh.Suppression{{Code: "DPR110", Reason: "not until June", Until: day}, {Code: "DPR211", Reason: "x=y", Until: day}},
		},
		{name: "empty", value: "", err: `not in the grammar of daprise.dev/suppress: "" is not DPR###=reason until YYYY-MM-DD`},
		{name: "a semicolon at the end", value: "DPR110=x until 2026-12-31;", err: `not in the grammar of daprise.dev/suppress: "" is not DPR###=reason until YYYY-MM-DD`},
		{name: "no day", value: "DPR110=legacy", err: `not in the grammar of daprise.dev/suppress: "DPR110=legacy" is not DPR###=reason until YYYY-MM-DD`},
		{name: "not a day", value: "DPR110=x until 2026-02-30", err: `not in the grammar of daprise.dev/suppress: "DPR110=x until 2026-02-30" ends in "2026-02-30", which is not a day like 2026-12-31`},
		{name: "no reason", value: "DPR110=  until 2026-12-31", err: `not in the grammar of daprise.dev/suppress: "DPR110=  until 2026-12-31" gives no reason`},
		{name: "no such code", value: "DPR999=x until 2026-12-31", err: `not in the grammar of daprise.dev/suppress: "DPR999=x until 2026-12-31" names no code of daprise`},
		{name: "a code that refuses", value: "DPR304=x until 2026-12-31", err: `not in the grammar of daprise.dev/suppress: "DPR304=x until 2026-12-31" names a code that always refuses: only warnings can be suppressed`},
		{name: "a code twice", value: "DPR110=x until 2026-12-31;DPR110=y until 2026-12-31", err: `not in the grammar of daprise.dev/suppress: "DPR110=y until 2026-12-31" names DPR110 twice`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := mesh.Suppressions(test.value)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(test.err, message); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("suppressions (-want +got):\n%s", diff)
			}
		})
	}
}
