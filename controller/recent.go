// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daprise/daprise/mesh"
)

// recentFor is how long a load is used again at most: what is read live (candidates) tells of no change.
const recentFor = candidatesFor

// recent keeps the last load of each namespace as long as nothing has changed that it was made from, so that a thousand companions of one
// namespace do not each load all the others. The states of companions in it may be old.
type recent struct {
	// generation counts the changes.
	generation atomic.Uint64
	now        func() time.Time

	mu    sync.Mutex
	slots map[string]*slot
	// released is when old loads were let go.
	released time.Time
}

// slot is one namespace; its lock is held while it is loaded, so that those who wait share the load.
type slot struct {
	mu         sync.Mutex
	filled     bool
	generation uint64
	at         time.Time
	loaded     loaded
}

func newRecent() *recent { return &recent{now: time.Now, slots: map[string]*slot{}} }

// changed makes every load an old one.
func (r *recent) changed() { r.generation.Add(1) }

func (r *recent) slot(namespace string) *slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.slots[namespace]
	if !ok {
		s = &slot{}
		r.slots[namespace] = s
	}
	return s
}

// forget drops a namespace's load.
func (r *recent) forget(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.slots, namespace)
}

// namespace loads what concerns the companions of a namespace, from the caches. The states of companions may be old.
func (l *Loader) namespace(ctx context.Context, namespace string) (loaded, error) {
	s := l.recent.slot(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Read before the caches are: a change during the load makes it an old one.
	generation, now := l.recent.generation.Load(), l.recent.now()
	if s.filled && s.generation == generation && now.Sub(s.at) < recentFor && !l.pods.due(namespace) {
		return s.loaded, nil
	}
	fresh, err := l.load(ctx, l.door, mesh.Need{Namespaces: []string{namespace}})
	if err != nil {
		return loaded{}, err
	}
	s.filled, s.generation, s.at, s.loaded = true, generation, now, fresh
	l.recent.release(now)
	return fresh, nil
}

// release lets go of the loads that are too old to be used again: of ten thousand namespaces each has one. It looks once in a while.
func (r *recent) release(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.released) < recentFor {
		return
	}
	r.released = now
	for _, s := range r.slots {
		// Who is loading now fills it anew.
		if !s.mu.TryLock() {
			continue
		}
		if now.Sub(s.at) >= recentFor {
			s.filled, s.loaded = false, loaded{}
		}
		s.mu.Unlock()
	}
}
