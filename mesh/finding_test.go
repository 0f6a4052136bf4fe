// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
)

func TestWarning(t *testing.T) {
	open := func() mesh.Finding {
		return mesh.Finding{
			Code:    "DPR101",
			Message: `ingress companion "ingress" (default) is open on 3500/TCP: any pod may reach it, since no policy selects it`,
			Witness: &mesh.Witness{From: "any pod", To: `ingress companion "ingress" (default)`, Port: 3500, Protocol: "TCP"},
		}
	}
	for _, tc := range []struct {
		name  string
		tweak func(*mesh.Finding)
		want  string
	}{
		{
			name:  "the message names the witness",
			tweak: func(*mesh.Finding) {},
			want: `ingress companion "ingress" (default) is open on 3500/TCP: any pod may reach it, since no policy selects it ` +
				`[DPR101] (daprise explain DPR101)`,
		},
		{
			name:  "the message names no source",
			tweak: func(f *mesh.Finding) { f.Message = "it is open" },
			want:  `any pod to ingress companion "ingress" (default) on 3500/TCP: it is open [DPR101] (daprise explain DPR101)`,
		},
		{
			name:  "no witness",
			tweak: func(f *mesh.Finding) { f.Message, f.Witness = "it is open", nil },
			want:  `it is open [DPR101] (daprise explain DPR101)`,
		},
		{
			name:  "too long, cut within a character",
			tweak: func(f *mesh.Finding) { f.Message, f.Witness = strings.Repeat("é", 200), nil },
			want:  strings.Repeat("é", 81) + `... [DPR101] (daprise explain DPR101)`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := open()
			tc.tweak(&f)
			got := f.Warning()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Warning (-want +got):\n%s", diff)
			}
			if len(got) > mesh.MaxWarning {
				t.Errorf("%d bytes, more than %d", len(got), mesh.MaxWarning)
			}
		})
	}
}
