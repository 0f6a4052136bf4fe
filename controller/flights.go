// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"
)

// liveTimeout ends a live load: webhooks have five seconds at most.
const liveTimeout = 5 * time.Second

// flights lets equal loads share one. A load that has begun is not joined: it may have read before the caller's own last write. Who comes
// while it runs shares the next one.
type flights[T any] struct {
	mu   sync.Mutex
	keys map[string]*line[T]
}

// line is the loads of one key.
type line[T any] struct {
	running bool
	next    *flight[T]
}

// flight is one load; done is closed when answer and err are set.
type flight[T any] struct {
	done   chan struct{}
	answer T
	err    error
}

func newFlights[T any]() *flights[T] { return &flights[T]{keys: map[string]*line[T]{}} }

// do joins the next flight of a key, starting it if no other is running. A flight goes on without the caller whose ctx ends, for the
// others' sake, at most liveTimeout.
func (f *flights[T]) do(ctx context.Context, key string, load func(context.Context) (T, error)) (T, error) {
	mine := f.join(ctx, key, load)
	select {
	case <-mine.done:
		return mine.answer, mine.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (f *flights[T]) join(ctx context.Context, key string, load func(context.Context) (T, error)) *flight[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.keys[key]
	if !ok {
		l = &line[T]{}
		f.keys[key] = l
	}
	if l.next == nil {
		l.next = &flight[T]{done: make(chan struct{})}
	}
	mine := l.next
	if !l.running {
		l.running = true
		go f.fly(context.WithoutCancel(ctx), key, load)
	}
	return mine
}

// fly runs flights of a key as long as somebody waits for the next one.
func (f *flights[T]) fly(ctx context.Context, key string, load func(context.Context) (T, error)) {
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
		current.answer, current.err = f.timed(ctx, load)
		close(current.done)
	}
}

func (f *flights[T]) timed(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	return load(ctx)
}
