// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Of narrow loads few are kept, and for a moment: a route is looked at three times when it is written, and routes to one app are often
// written many at once. What caches have heard of but not told yet is missing from them, as it may be from the caches.
const (
	narrowFor    = time.Second
	narrowAtMost = 128
)

// narrow keeps narrow loads as long as nothing has changed that they were made from.
type narrow struct {
	changes *changes
	now     func() time.Time

	mu   sync.Mutex
	kept map[string]lastLoad
}

func newNarrow() *narrow {
	return &narrow{changes: newChanges(), now: time.Now, kept: map[string]lastLoad{}}
}

// narrowed is a narrow load from the caches. Whoever finds none that is kept makes one of his own and waits for nobody.
func (l *Loader) narrowed(ctx context.Context, need mesh.Need) (loaded, error) {
	n, key := l.narrow, keyOf(need)
	changes, now := n.changes.now(), n.now()
	n.mu.Lock()
	last, ok := n.kept[key]
	n.mu.Unlock()
	if ok && now.Sub(last.at) < narrowFor && !n.changes.since(last.changes, last.loaded.concerned) && !slices.ContainsFunc(last.loaded.concerned, l.pods.due) {
		return last.loaded, nil
	}
	fresh, err := l.load(ctx, l.door, need)
	if err != nil || fresh.passing {
		return fresh, err
	}
	fresh.world.Answers = policy.NewAnswers()
	n.keep(key, lastLoad{now, changes, fresh})
	return fresh, nil
}

// keep lets go of what is too old to be used again, or of all where that is not enough.
func (n *narrow) keep(key string, load lastLoad) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.kept) >= narrowAtMost {
		clear(n.kept)
	}
	maps.DeleteFunc(n.kept, func(_ string, old lastLoad) bool { return load.at.Sub(old.at) >= narrowFor })
	n.kept[key] = load
}

// keyOf is the same for equal needs. No name of Kubernetes has a NUL or a line feed.
func keyOf(need mesh.Need) string {
	var key strings.Builder
	for _, ns := range need.Namespaces {
		key.WriteString(ns)
		key.WriteByte(0)
	}
	for _, names := range [][]mesh.Name{need.Gateways, need.Services} {
		key.WriteByte('\n')
		for _, name := range names {
			key.WriteString(name.Namespace)
			key.WriteByte(0)
			key.WriteString(name.Name)
			key.WriteByte(0)
		}
	}
	return key.String()
}
