// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// What changes for all companions at once, such as the trust bundle or the config file, does not roll all of them at once: each roll
// starts pods beside the old ones and has daprds ask sentry for certificates.
const (
	// rollEvery is the time between the rolls of two companions, once rollsAtOnce have begun.
	rollEvery   = 500 * time.Millisecond
	rollsAtOnce = 20
	// rollTakes is how long a turn lasts: until the caches show what was applied, the companion still looks as if it had to roll, and what
	// changes meanwhile is the same roll.
	rollTakes = 10 * time.Second
)

// rolls gives running companions their turns to roll. The first ones have theirs at once; those that come then get turns that are
// rollEvery apart. A turn is kept until it comes: whoever asks early is told how long it has to wait yet. Who has its turn may ask again for
// as long as that lasts.
type rolls struct {
	now func() time.Time

	mu    sync.Mutex
	next  time.Time
	turns map[mesh.AppRef]time.Time
}

func newRolls() *rolls { return &rolls{now: time.Now, turns: map[mesh.AppRef]time.Time{}} }

// turn is how long a companion has to wait until it may roll; zero means now, and the turn is taken.
func (r *rolls) turn(ref mesh.AppRef) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	at, has := r.turns[ref]
	if !has || now.Sub(at) >= rollTakes {
		if early := now.Add(-rollsAtOnce * rollEvery); r.next.Before(early) {
			r.next = early
		}
		r.next = r.next.Add(rollEvery)
		// A turn that was due before, when nobody asked for it, is one that begins now.
		at = r.next
		if at.Before(now) {
			at = now
		}
		r.turns[ref] = at
	}
	return max(0, at.Sub(now))
}

// done is told of a companion that needs no roll now: a turn that has not come is given back, one that lasts is kept until it is over.
func (r *rolls) done(ref mesh.AppRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, has := r.turns[ref]; has && (at.After(r.now()) || r.now().Sub(at) >= rollTakes) {
		delete(r.turns, ref)
	}
}

// forget drops a companion that is gone.
func (r *rolls) forget(ref mesh.AppRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.turns, ref)
}

// rolling says that a plan changes a workload that runs.
func (p plan) rolling(o observed) bool {
	for _, wave := range p.waves {
		for _, object := range workloads(wave) {
			if find(o.ours, object) != nil {
				return true
			}
		}
	}
	return false
}

// withoutRoll is a plan whose workload waits for its turn.
func (p plan) withoutRoll() plan {
	waves := make([][]client.Object, 0, len(p.waves))
	for _, wave := range p.waves {
		waves = append(waves, withoutWorkloads(wave))
	}
	p.waves = waves
	return p
}
