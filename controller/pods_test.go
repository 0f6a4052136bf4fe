// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/mesh"
)

// TestPodsAreReadAgain: after ten seconds, or after an event, then once a second at most; a read that fails leaves the event to the next.
func TestPodsAreReadAgain(t *testing.T) {
	reads, fail := 0, error(nil)
	c := builder(t).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, ok := list.(*corev1.PodList); ok {
				reads++
				return fail
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	now := time.Unix(0, 0)
	p := newPodsRead()
	p.now = func() time.Time { return now }
	cached := door{live: c, kinds: kindsWatched(), caches: &watcher{}}
	for _, step := range []struct {
		name  string
		after time.Duration
		event bool
		fail  error
		want  int
	}{
		{name: "the first time", want: 1},
		{name: "at once", want: 1},
		{name: "an event at once", event: true, want: 1},
		{name: "a second later", after: podsAtMost, want: 2},
		{name: "a second later without an event", after: podsAtMost, want: 2},
		{name: "an event that cannot be followed", event: true, fail: errors.New("away"), want: 3},
		{name: "the next time", want: 4},
		{name: "ten seconds later", after: podsFor, want: 5},
	} {
		now = now.Add(step.after)
		if step.event {
			p.expire("default")
		}
		fail = step.fail
		if _, err := p.in(t.Context(), cached, "default"); !errors.Is(err, step.fail) {
			t.Errorf("%s: error %v", step.name, err)
		}
		if reads != step.want {
			t.Errorf("%s: read %d times, want %d", step.name, reads, step.want)
		}
	}
}

// TestPodsThatChangedAreDue makes a namespace load again, but no more than once a second, and not for pods that nobody asked for.
func TestPodsThatChangedAreDue(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPodsRead()
	p.now = func() time.Time { return now }
	cached := door{live: builder(t).Build(), kinds: kindsWatched(), caches: &watcher{}}
	p.expire("default")
	if p.due("default") {
		t.Error("nobody has read them")
	}
	if _, err := p.in(t.Context(), cached, "default"); err != nil {
		t.Fatal(err)
	}
	if wait := p.pending("default"); wait != 0 {
		t.Errorf("nothing has changed, and a look in %s is wanted", wait)
	}
	p.expire("default")
	if p.due("default") {
		t.Error("they were read just now")
	}
	now = now.Add(podsAtMost / 4)
	if wait := p.pending("default"); wait != podsAtMost*3/4 {
		t.Errorf("they may be read again in %s, a look is wanted in %s", podsAtMost*3/4, wait)
	}
	if now = now.Add(podsAtMost); !p.due("default") {
		t.Error("they have changed")
	}
	if wait := p.pending("default"); wait <= 0 {
		t.Error("they have changed and were not read since, and no look is wanted")
	}
	if _, err := p.in(t.Context(), cached, "default"); err != nil {
		t.Fatal(err)
	}
	if p.due("default") {
		t.Error("they were read since")
	}
}

// TestEventsOfPods: foreign holders of a companion's label and the endpoints of enrolled Services have their companion looked at, the pods of
// companions themselves do not.
func TestEventsOfPods(t *testing.T) {
	labelled := func(kind kind, labels map[string]string, owner ...metav1.OwnerReference) change {
		object := metadataOf(kindsWatched()[kind].gvk)
		object.SetNamespace("default")
		object.SetLabels(labels)
		object.SetOwnerReferences(owner)
		return change{kind: kind, new: object}
	}
	own := metav1.OwnerReference{Kind: "ReplicaSet", Name: "whoami-dapr-1", Controller: new(true)}
	for name, tt := range map[string]struct {
		change change
		want   bool
	}{
		"a foreign holder":           {labelled(kindHolder, map[string]string{mesh.LabelCompanion: "whoami"}), true},
		"the companion's own pod":    {labelled(kindHolder, map[string]string{mesh.LabelCompanion: "whoami"}, own), false},
		"endpoints of the app":       {labelled(kindEndpoints, map[string]string{mesh.LabelAppID: "whoami"}), true},
		"a pod that was let in once": {labelled(kindHolder, map[string]string{mesh.LabelCompanion: "whoami"}, metav1.OwnerReference{Kind: "ReplicaSet", Name: "other-1", Controller: new(true)}), true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &triggers{loader: NewLoader(mesh.DefaultConfig(), builder(t).Build()), companions: &keys[mesh.AppRef]{}}
			tr.heardPods(tt.change)
			if got := tr.loader.pods.of("default").changed.Load(); got != tt.want {
				t.Errorf("pods are to be read again: %t, want %t", got, tt.want)
			}
		})
	}
}
