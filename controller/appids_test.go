// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// TestLoadKnowsEveryAppID: a View has the app IDs of the whole cluster, whichever namespaces it is about.
func TestLoadKnowsEveryAppID(t *testing.T) {
	reader := builder(t, append(objects(), admitted(service("other", "again"), "whoami"), admitted(gateway("other", "x"), "x-ingress"))...).Build()
	want := []string{"ingress", "unrelated", "whoami", "x-ingress"}
	if diff := cmp.Diff(want, load(t, reader, mesh.Need{Namespaces: []string{"shop"}}).AppIDs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if ids := load(t, reader, mesh.Need{AllNamespaces: true}).AppIDs; ids != nil {
		t.Errorf("all enrolments are in the View, and so are %q", ids)
	}
}

// whole are caches that hold what a reader has.
type whole struct{ client.Reader }

func (w whole) reader(kind) (client.Reader, bool) { return w.Reader, true }

// TestAppIDsAreKeptForAMoment: with caches, they are listed once a second where something changes, and else once in ten.
func TestAppIDsAreKeptForAMoment(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changed bool
		after   time.Duration
		want    []string
	}{
		{name: "a moment later", changed: true, after: appIDsKept - 1, want: []string{"ingress", "unrelated", "whoami"}},
		{name: "a second later", changed: true, after: appIDsKept, want: []string{"ingress", "late", "unrelated", "whoami"}},
		{name: "a second later, nothing heard", after: appIDsKept, want: []string{"ingress", "unrelated", "whoami"}},
		{name: "ten seconds later, nothing heard", after: appIDsUnchanged, want: []string{"ingress", "late", "unrelated", "whoami"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cluster := builder(t, objects()...).Build()
			now := time.Unix(0, 0)
			l := newLoader(mesh.DefaultConfig(), door{live: cluster, caches: whole{cluster}, kinds: kindsWatched()})
			l.now = func() time.Time { return now }
			if _, err := l.appIDs.of(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			if err := cluster.Create(t.Context(), admitted(service("other", "late"), "late")); err != nil {
				t.Fatal(err)
			}
			if tt.changed {
				l.recent.changed()
			}
			now = now.Add(tt.after)
			got, err := l.appIDs.of(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
