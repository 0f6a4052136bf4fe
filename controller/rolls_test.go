// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
)

// TestRolls: a few roll at once, then one after the other, each when it was told, however often it asks.
func TestRolls(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRolls()
	r.now = func() time.Time { return now }
	ref := func(i int) mesh.AppRef { return mesh.AppRef{Namespace: "default", ID: fmt.Sprint(i)} }
	for i := range rollsAtOnce {
		if wait := r.turn(ref(i)); wait != 0 {
			t.Fatalf("companion %d waits %s", i, wait)
		}
	}
	for i := range 3 {
		if wait, want := r.turn(ref(100+i)), time.Duration(i+1)*rollEvery; wait != want {
			t.Errorf("companion %d waits %s, want %s", i, wait, want)
		}
	}
	if wait := r.turn(ref(101)); wait != 2*rollEvery {
		t.Errorf("who asks again waits %s", wait)
	}
	now = now.Add(2 * rollEvery)
	if wait := r.turn(ref(101)); wait != 0 {
		t.Errorf("whose turn has come waits %s", wait)
	}
	r.done(ref(101))
	if wait := r.turn(ref(101)); wait != 0 {
		t.Errorf("whose turn lasts waits %s", wait)
	}
	r.done(ref(102))
	if wait := r.turn(ref(102)); wait != 2*rollEvery {
		t.Errorf("who gave its turn back waits %s", wait)
	}
	now = now.Add(rollTakes)
	if wait := r.turn(ref(101)); wait != 0 || !r.next.After(now.Add(-rollsAtOnce*rollEvery)) {
		t.Errorf("the next turn, when nobody rolls, waits %s", wait)
	}
	now = now.Add(time.Hour)
	for i := range rollsAtOnce {
		if wait := r.turn(ref(200 + i)); wait != 0 {
			t.Fatalf("after an hour companion %d waits %s", i, wait)
		}
	}
}

func TestPlansThatRoll(t *testing.T) {
	running := observed{ours: stored(objectsFor()...)}
	other := wanting(func(t *target) { t.objects = objectsFor(func(a *mesh.App) { a.Port = 81 }) })
	for name, tt := range map[string]struct {
		target  target
		exists  observed
		rolling bool
	}{
		"the first start":  {wanting(), observed{}, false},
		"nothing to do":    {wanting(), running, false},
		"another template": {other, running, true},
		"another strategy": {wanting(func(t *target) { t.objects = objectsFor(daemonset) }), running, false},
	} {
		if got := planStay(tt.target, tt.exists).rolling(tt.exists); got != tt.rolling {
			t.Errorf("%s: rolls %v", name, got)
		}
	}
	if diff := cmp.Diff(outline{}, outlineOf(planStay(other, running).withoutRoll()), cmp.AllowUnexported(outline{})); diff != "" {
		t.Errorf("before its turn (-want +got):\n%s", diff)
	}
}

func TestDepartures(t *testing.T) {
	now := time.Unix(1000, 0)
	d := newDepartures()
	d.now = func() time.Time { return now }
	ref := app().AppRef
	if wait := d.wait(ref); wait != leavesAfter {
		t.Errorf("at first %s", wait)
	}
	now = now.Add(leavesAfter - time.Second)
	if wait := d.wait(ref); wait != time.Second {
		t.Errorf("a second before %s", wait)
	}
	now = now.Add(time.Second)
	if wait := d.wait(ref); wait > 0 {
		t.Errorf("in the end %s", wait)
	}
	d.forget(ref)
	if wait := d.wait(ref); wait != leavesAfter {
		t.Errorf("after it was enrolled again %s", wait)
	}
}

// TestSuccessor: a companion waits for the one that takes its place only as long as that one is not ready.
func TestSuccessor(t *testing.T) {
	former := stored(objectsFor()...)
	successor := func(tweak func(*mesh.App)) occasion {
		a := app(func(a *mesh.App) { a.ID = "hello" }, tweak)
		o := occasion{ref: app().AppRef, exists: observed{ours: former}}
		o.world.View = &mesh.View{Apps: []mesh.App{a}}
		return o
	}
	for _, tt := range []struct {
		name  string
		tweak func(*mesh.App)
		want  string
	}{
		{"not ready", func(*mesh.App) {}, `companion "hello", which takes its place, is not ready`},
		{"ready", func(a *mesh.App) { a.Companion.Ready = true }, ""},
		{"of another object", func(a *mesh.App) { a.Owner.UID = "another" }, ""},
	} {
		if got := successorOf(successor(tt.tweak)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
