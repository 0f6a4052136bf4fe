// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	"github.com/daprise/daprise/mesh"
)

// recentFor is how long a load is used again at most: what is read live (candidates) tells of no change.
const recentFor = candidatesFor

// recent keeps the last load of each namespace as long as nothing has changed that it was made from, so that a thousand companions of one
// namespace do not each load all the others. The states of companions in it may be old.
type recent struct {
	changes *changes
	now     func() time.Time

	mu    sync.Mutex
	slots map[string]*slot
	// released is when old loads were let go.
	released time.Time
}

// slot is one namespace; its lock is held while it is loaded, so that those who wait share the load.
type slot struct {
	mu     sync.Mutex
	filled bool
	lastLoad
}

// lastLoad is a load, when it was made and how many changes were counted before.
type lastLoad struct {
	at      time.Time
	changes uint64
	loaded  loaded
}

func newRecent() *recent {
	return &recent{changes: newChanges(), now: time.Now, slots: map[string]*slot{}}
}

// changed makes the loads old ones that concern one of the namespaces, or every load if none is named.
func (r *recent) changed(namespaces ...string) { r.changes.note(namespaces...) }

// generation counts the changes.
func (r *recent) generation() uint64 { return r.changes.now() }

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
	changes, now := l.recent.changes.now(), l.recent.now()
	if s.filled && now.Sub(s.at) < recentFor && !l.recent.changes.since(s.changes, s.loaded.concerned) && !l.pods.due(namespace) {
		return s.loaded, nil
	}
	fresh, err := l.load(ctx, l.door, mesh.Need{Namespaces: []string{namespace}})
	if err != nil {
		return loaded{}, err
	}
	s.filled, s.lastLoad = true, lastLoad{now, changes, fresh}
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
			s.filled, s.lastLoad = false, lastLoad{}
		}
		s.mu.Unlock()
	}
}
