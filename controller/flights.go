// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	"github.com/daprise/daprise/mesh/policy"
)

// liveTimeout ends a live load: webhooks have five seconds at most.
const liveTimeout = 5 * time.Second

// flights lets equal loads share one. A load that has begun is not joined: it may have read before the caller's own last write. Who comes
// while it runs shares the next one.
type flights struct {
	mu   sync.Mutex
	keys map[string]*line
}

// line is the loads of one key.
type line struct {
	running bool
	next    *flight
}

// flight is one load; done is closed when world and err are set.
type flight struct {
	done  chan struct{}
	world policy.World
	err   error
}

func newFlights() *flights { return &flights{keys: map[string]*line{}} }

// do joins the next flight of a key, starting it if no other is running. A flight goes on without the caller whose ctx ends, for the
// others' sake, at most liveTimeout.
func (f *flights) do(ctx context.Context, key string, load func(context.Context) (policy.World, error)) (policy.World, error) {
	mine := f.join(ctx, key, load)
	select {
	case <-mine.done:
		return mine.world, mine.err
	case <-ctx.Done():
		return policy.World{}, ctx.Err()
	}
}

func (f *flights) join(ctx context.Context, key string, load func(context.Context) (policy.World, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.keys[key]
	if !ok {
		l = &line{}
		f.keys[key] = l
	}
	if l.next == nil {
		l.next = &flight{done: make(chan struct{})}
	}
	mine := l.next
	if !l.running {
		l.running = true
		go f.fly(context.WithoutCancel(ctx), key, load)
	}
	return mine
}

// fly runs flights of a key as long as somebody waits for the next one.
func (f *flights) fly(ctx context.Context, key string, load func(context.Context) (policy.World, error)) {
	for {
		f.mu.Lock()
		l := f.keys[key]
		current := l.next
		if current == nil {
			delete(f.keys, key)
			f.mu.Unlock()
			return
		}
		l.next = nil
		f.mu.Unlock()
		current.world, current.err = f.timed(ctx, load)
		close(current.done)
	}
}

func (f *flights) timed(ctx context.Context, load func(context.Context) (policy.World, error)) (policy.World, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	return load(ctx)
}
