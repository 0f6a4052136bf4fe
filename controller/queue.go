// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// keys is the way into a controller's work queue, for as long as the controller runs: it runs on the leader only, while the caches'
// events, from which keys come, are heard on every replica.
type keys[K comparable] struct {
	mu    sync.RWMutex
	queue workqueue.TypedRateLimitingInterface[K]
	// begin adds every key there is; it is called when the controller starts, in a goroutine of its own.
	begin func(ctx context.Context)
}

// source is for controller-runtime: it takes the queue when the controller starts.
func (k *keys[K]) source() source.TypedSource[K] {
	return source.TypedFunc[K](func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[K]) error {
		k.mu.Lock()
		k.queue = queue
		k.mu.Unlock()
		go k.begin(ctx)
		return nil
	})
}

// running says that keys are of use to somebody.
func (k *keys[K]) running() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.queue != nil
}

// addAfter puts keys in the queue after a while.
func (k *keys[K]) addAfter(wait time.Duration, all ...K) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.queue == nil {
		return
	}
	for _, key := range all {
		k.queue.AddAfter(key, wait)
	}
}

// add puts keys in the queue; a key that waits there already is not doubled.
func (k *keys[K]) add(all ...K) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.queue == nil {
		return
	}
	for _, key := range all {
		k.queue.Add(key)
	}
}
