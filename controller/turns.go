// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

// Live loads a second, and at once: of all, and for the writes of one namespace. Each is a few lists.
const (
	liveLoadsPerSecond = 20
	liveLoadsAtOnce    = 40
	ownLoadsPerSecond  = 10
	ownLoadsAtOnce     = 20
)

// turns say when live loads may begin. The writes of one namespace have a share of them, so that whoever writes what is refused again and again
// keeps nobody waiting elsewhere.
type turns struct {
	all flowcontrol.RateLimiter
	now func() time.Time

	mu  sync.Mutex
	own map[string]*ownTurns
}

type ownTurns struct {
	limit flowcontrol.RateLimiter
	asked time.Time
}

func newTurns() *turns {
	return &turns{all: flowcontrol.NewTokenBucketRateLimiter(liveLoadsPerSecond, liveLoadsAtOnce), now: time.Now, own: map[string]*ownTurns{}}
}

// wait returns when it is the turn of a load for a write of a namespace, "" for those of no namespace. An error means that ctx ends before.
func (t *turns) wait(ctx context.Context, namespace string) error {
	if err := t.of(namespace).Wait(ctx); err != nil {
		return err
	}
	return t.all.Wait(ctx)
}

// turnsKept is how long after a namespace's last question its limit is kept: until nobody waits any more (liveTimeout) and all of its turns are
// its own again.
const turnsKept = 2 * liveTimeout

// of is the limit of one namespace.
func (t *turns) of(namespace string) flowcontrol.RateLimiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	own, ok := t.own[namespace]
	if !ok {
		maps.DeleteFunc(t.own, func(_ string, o *ownTurns) bool { return now.Sub(o.asked) > turnsKept })
		own = &ownTurns{limit: flowcontrol.NewTokenBucketRateLimiter(ownLoadsPerSecond, ownLoadsAtOnce)}
		t.own[namespace] = own
	}
	own.asked = now
	return own.limit
}
