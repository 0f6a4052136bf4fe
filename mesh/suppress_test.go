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

func TestSuppress(t *testing.T) {
	findings := []mesh.Finding{
		{Code: mesh.CodeHeaderForm, Severity: mesh.Warn}, {Code: mesh.CodeAppReachable, Severity: mesh.Warn}, {Code: mesh.CodeAppReachable, Severity: mesh.Deny},
	}
	lastMoment := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		at          time.Time
		want        []mesh.Severity
	}{
		{name: "nothing", at: lastMoment, want: []mesh.Severity{mesh.Warn, mesh.Warn, mesh.Deny}},
		{name: "one code", value: "DPR206=known until 2026-12-31", at: lastMoment, want: []mesh.Severity{mesh.Audit, mesh.Warn, mesh.Deny}},
		{name: "no refusal", value: "DPR110=known until 2026-12-31", at: lastMoment, want: []mesh.Severity{mesh.Warn, mesh.Audit, mesh.Deny}},
		{name: "expired", value: "DPR206=known until 2026-12-31", at: lastMoment.Add(time.Second), want: []mesh.Severity{mesh.Warn, mesh.Warn, mesh.Deny}},
		{name: "not in the grammar", value: "DPR206", at: lastMoment, want: []mesh.Severity{mesh.Warn, mesh.Warn, mesh.Deny}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []mesh.Severity
			for _, f := range mesh.Suppress(findings, test.value, test.at) {
				got = append(got, f.Severity)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("severities (-want +got):\n%s", diff)
			}
			if findings[0].Severity != mesh.Warn || findings[1].Severity != mesh.Warn {
				t.Error("the findings were modified")
			}
		})
	}
}
