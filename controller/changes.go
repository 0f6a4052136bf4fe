// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// changes counts what caches have told of, and remembers for each namespace the last change that concerned it. What was read before a
// change is known by the count at that time.
type changes struct {
	mu         sync.RWMutex
	count      uint64
	everywhere uint64
	in         map[string]uint64
}

func newChanges() *changes { return &changes{in: map[string]uint64{}} }

// note counts a change that concerns some namespaces, or all if none is named.
func (c *changes) note(namespaces ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if len(namespaces) == 0 {
		c.everywhere = c.count
	}
	for _, ns := range namespaces {
		c.in[ns] = c.count
	}
}

// now is the count.
func (c *changes) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.count
}

// since says whether something has changed after a count that concerns one of the namespaces.
func (c *changes) since(count uint64, namespaces []string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.everywhere > count {
		return true
	}
	for _, ns := range namespaces {
		if c.in[ns] > count {
			return true
		}
	}
	return false
}

// enoughAlike is how many routes of one likeness a narrow load keeps: two alike tell it as much as a thousand, since one may be the
// route of the decision itself.
const enoughAlike = 2

// alike counts the stored routes of each likeness.
type alike struct {
	mu       sync.Mutex
	likeness map[types.UID]string
	count    map[string]int
}

func newAlike() *alike { return &alike{likeness: map[types.UID]string{}, count: map[string]int{}} }

// note is told that a route has a likeness now, or, by an empty one, that it is gone. It returns whether narrow loads see a difference.
func (a *alike) note(uid types.UID, now string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, known := a.likeness[uid]
	if known && before == now {
		return false
	}
	differs := false
	if known {
		a.count[before]--
		differs = a.count[before] < enoughAlike
		if a.count[before] == 0 {
			delete(a.count, before)
		}
		delete(a.likeness, uid)
	}
	if now != "" {
		differs = differs || a.count[now] < enoughAlike
		a.count[now]++
		a.likeness[uid] = now
	}
	return differs
}

// heard tells those who keep what they have loaded of a change that matters.
func (l *Loader) heard(c change) {
	if c.old == nil && c.new == nil {
		l.recent.changed()
		l.narrow.changes.note()
		return
	}
	switch c.kind {
	case kindHTTPRoute, kindGRPCRoute:
		l.heardRoute(c)
	case kindNamespace:
		l.recent.changed(one(c).GetName())
		l.narrow.changes.note(one(c).GetName())
	case kindHolder, kindEndpoints:
		// Pods have a time of their own (podsRead).
	case kindClusterwidePolicy, kindCIDRGroup, kindEarlierGroup, kindConfigMap, kindCiliumAgent:
		l.recent.changed()
		l.narrow.changes.note()
	case kindService, kindDeployment, kindGateway, kindNetworkPolicy, kindCiliumPolicy, kindReferenceGrant, kindConfiguration:
		l.recent.changed(one(c).GetNamespace())
		l.narrow.changes.note(one(c).GetNamespace())
	default:
		// What is loaded for companions may have old states of companions.
		l.narrow.changes.note(one(c).GetNamespace())
	}
}

func (l *Loader) heardRoute(c change) {
	var namespaces []string
	likeness := ""
	for _, object := range []client.Object{c.old, c.new} {
		if object != nil {
			r := routeOf(object)
			namespaces = sortedUnion(namespaces, sortedUnion(r.need.Namespaces, r.destinations))
		}
	}
	if c.new != nil {
		likeness = l.route(c.new).likeness
	}
	l.recent.changed(namespaces...)
	if l.alike.note(one(c).GetUID(), likeness) {
		l.narrow.changes.note(namespaces...)
	}
}
