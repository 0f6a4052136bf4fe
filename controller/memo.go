// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memo keeps what was derived from a stored object as long as the object has the same version, so that a policy is compiled and a route
// is read once per version and not once per request. Entries leave when their object does (forget).
type memo[T any] struct {
	mu      sync.Mutex
	entries map[types.UID]entry[T]
}

type entry[T any] struct {
	version string
	value   T
}

func newMemo[T any]() *memo[T] { return &memo[T]{entries: map[types.UID]entry[T]{}} }

// of returns what was derived from this version of an object, deriving it if need be. Without UID and version (an object of a file)
// it is derived each time.
func (m *memo[T]) of(object client.Object, derive func() T) T {
	uid, version := object.GetUID(), object.GetResourceVersion()
	if uid == "" || version == "" {
		return derive()
	}
	m.mu.Lock()
	known, ok := m.entries[uid]
	m.mu.Unlock()
	if ok && known.version == version {
		return known.value
	}
	fresh := derive()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[uid] = entry[T]{version, fresh}
	return fresh
}

// forget drops what was derived from a deleted object.
func (m *memo[T]) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, uid)
}
