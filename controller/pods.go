// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// podsFor is how long the pods of a namespace are believed when read for a cached load. No cache holds pods: they are many, and what is
// read of them, their labels and named ports, changes with rollouts alone.
const podsFor = 10 * time.Second

// podsAtMost is how often they are read at most where events say that they have changed.
const podsAtMost = time.Second

// podsRead keeps what was read of pods for a moment, so that a thousand companions of one namespace do not each list its pods.
type podsRead struct {
	mu   sync.Mutex
	kept map[string]*podsOf
	now  func() time.Time
}

// podsOf is one namespace; its lock is held while it is read, so that those who wait share the read.
type podsOf struct {
	mu   sync.Mutex
	sets []mesh.PodSet
	at   time.Time
	// changed says that an event has told of a change since.
	changed atomic.Bool
}

// old says whether they must be read again.
func (p *podsOf) old(now time.Time) bool {
	age := now.Sub(p.at)
	return p.at.IsZero() || age >= podsFor || p.changed.Load() && age >= podsAtMost
}

func newPodsRead() *podsRead { return &podsRead{kept: map[string]*podsOf{}, now: time.Now} }

// in are the pods of a namespace, for a live load those of now.
func (p *podsRead) in(ctx context.Context, d door, namespace string) ([]mesh.PodSet, error) {
	known := p.of(namespace)
	known.mu.Lock()
	defer known.mu.Unlock()
	if now := p.now(); d.caches == nil || known.old(now) {
		// Before the read: what changes meanwhile may be missing from it.
		changed := known.changed.Swap(false)
		sets, err := listPods(ctx, d.live, namespace)
		if err != nil {
			known.changed.Store(changed)
			return nil, err
		}
		known.sets, known.at = sets, now
	}
	return known.sets, nil
}

func (p *podsRead) of(namespace string) *podsOf {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.kept[namespace]
	if !ok {
		known = &podsOf{}
		p.kept[namespace] = known
	}
	return known
}

// expire has the pods of a namespace read again, podsAtMost after the last time at the earliest.
func (p *podsRead) expire(namespace string) { p.of(namespace).changed.Store(true) }

// due says that the pods of a namespace, which were read, have changed and may be read again.
func (p *podsRead) due(namespace string) bool {
	known := p.of(namespace)
	known.mu.Lock()
	defer known.mu.Unlock()
	return known.changed.Load() && !known.at.IsZero() && known.old(p.now())
}

// pending is how long to wait until pods of a namespace that have changed may be read again; 0 if none have.
func (p *podsRead) pending(namespace string) time.Duration {
	known := p.of(namespace)
	known.mu.Lock()
	defer known.mu.Unlock()
	if !known.changed.Load() || known.at.IsZero() {
		return 0
	}
	return max(podsAtMost-p.now().Sub(known.at), time.Millisecond)
}

// forget drops a namespace that is gone.
func (p *podsRead) forget(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, namespace)
}

func listPods(ctx context.Context, reader client.Reader, namespace string) ([]mesh.PodSet, error) {
	var pods []*corev1.Pod
	token := ""
	for {
		page := &corev1.PodList{}
		if err := reader.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(token)); err != nil {
			return nil, fmt.Errorf("list pods of %s: %w", namespace, err)
		}
		for i := range page.Items {
			pods = append(pods, &page.Items[i])
		}
		if token = page.Continue; token == "" {
			return mesh.PodSets(pods), nil
		}
	}
}

// splits finds where GAMMA routes send what companions send to the apps' Services, and concerns the namespaces of those backends.
func (b *build) splits(context.Context) error {
	for _, r := range b.stored {
		for _, split := range r.backends {
			if _, ok := b.view.AppOfService(split.Service); ok {
				b.view.ServiceSplits = append(b.view.ServiceSplits, split)
				b.concern(split.Backend.Namespace)
			}
		}
	}
	return nil
}

// pods reads the pods of the namespaces asked for that hold a companion, and of the backends of their apps. A need of all namespaces
// that names none, that of a clusterwide policy, reads none: the controller looks at each namespace by itself.
func (b *build) pods(ctx context.Context) error {
	for _, ns := range b.podNamespaces() {
		sets, err := b.loader.pods.in(ctx, b.door, ns)
		if err != nil {
			return err
		}
		b.view.Pods = append(b.view.Pods, sets...)
	}
	return nil
}

func (b *build) podNamespaces() []string {
	wanted := b.concerned
	if b.need.AllNamespaces {
		wanted = b.need.Namespaces
	}
	var namespaces []string
	for _, ns := range wanted {
		held := slices.ContainsFunc(b.view.Apps, func(a mesh.App) bool { return a.Namespace == ns }) ||
			slices.ContainsFunc(b.view.Ingresses, func(g mesh.Ingress) bool { return g.Namespace == ns }) ||
			slices.ContainsFunc(b.view.ServiceSplits, func(s mesh.ServiceSplit) bool { return s.Backend.Namespace == ns })
		if held && !slices.Contains(namespaces, ns) {
			namespaces = append(namespaces, ns)
		}
	}
	return namespaces
}
