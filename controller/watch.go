// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pollKinds is how often the API server is asked which of the watched kinds it serves: a few requests each time, and the longest that
// a new kind is read live instead of from the cache.
const pollKinds = 3 * time.Second

// staleAfter is how long a watch on policies may show no sign of life before they are read live. The API server sends a bookmark about
// every minute, with a new version as long as anything at all is written in the cluster; in one where nothing is, live reads cost
// nobody anything.
const staleAfter = 3 * time.Minute

// discoverer tells what the API server serves (client-go's discovery client).
type discoverer interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// change is one event of a cache. One of old and new is nil where an object was added or deleted; both are where a kind appeared or
// disappeared. Objects are shared and must not be modified.
type change struct {
	kind     kind
	old, new client.Object
}

// informer is the cache of one kind: controller-runtime's, or a feed.
type informer interface{ HasSynced() bool }

// watcher keeps the informers of all kinds in step with what the API server serves: a kind's informer starts when the kind appears and
// ends when it disappears, at any time and without a restart. It runs on every replica.
type watcher struct {
	discovery discoverer
	main      cache.Cache
	// feeds makes the packed cache of a kind, nil for a kind of the main cache.
	feeds func(kind) *feed
	log   logr.Logger
	kinds map[kind]facts
	// indexes are added to an informer before it is used.
	indexes map[kind][]index
	// listeners hear of every change, in the order of registration; they do not block.
	listeners []func(change)

	now func() time.Time

	mu      sync.RWMutex
	started map[kind]informer
	// heard is the newest version that a watch has told of, and when it was first seen.
	heard    map[kind]sign
	polled   bool
	discover sync.Mutex
	// changing is held while informers are started and ended.
	changing sync.Mutex
}

// sign of life of a watch.
type sign struct {
	version string
	at      time.Time
}

// index is a field index of a cache.
type index struct {
	field string
	keys  client.IndexerFunc
	// local says that it is asked for one namespace at a time.
	local bool
}

// NeedLeaderElection says that every replica watches.
func (w *watcher) NeedLeaderElection() bool { return false }

// Start polls until the context is done. An error of a poll is logged, never fatal: what is watched stays watched.
func (w *watcher) Start(ctx context.Context) error {
	ticker := time.NewTicker(pollKinds)
	defer ticker.Stop()
	for {
		if err := w.poll(ctx); err != nil {
			w.log.Error(err, "ask which kinds are served")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// poll asks once and starts or ends informers.
func (w *watcher) poll(ctx context.Context) error {
	served, err := w.served()
	if err != nil {
		return err
	}
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, k := range w.ordered() {
		_, started := w.informer(k)
		wanted := served[w.kinds[k].gvk] && !superseded(k, served)
		switch {
		case wanted && !started:
			if err := w.start(ctx, k); err != nil {
				return err
			}
		case !wanted && started:
			if err := w.stop(ctx, k); err != nil {
				return err
			}
		}
	}
	w.listen()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polled = true
	return nil
}

// listen notes the watches' signs of life.
func (w *watcher) listen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, informer := range w.started {
		versioned, ok := informer.(interface{ LastSyncResourceVersion() string })
		if !ok {
			continue
		}
		if version := versioned.LastSyncResourceVersion(); version != w.heard[k].version {
			w.heard[k] = sign{version, w.now()}
		}
	}
}

// stale says that a watch on policies has shown no sign of life for a while. A refusal or an admission may rest on what it missed; other
// kinds are read live before a refusal anyway.
func (w *watcher) stale(k kind) bool {
	switch k {
	case kindCiliumPolicy, kindClusterwidePolicy, kindNetworkPolicy, kindCIDRGroup, kindEarlierGroup:
	default:
		return false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	heard, ok := w.heard[k]
	return ok && w.now().Sub(heard.at) > staleAfter
}

// served is which of the watched kinds the API server serves now.
func (w *watcher) served() (map[schema.GroupVersionKind]bool, error) {
	w.discover.Lock()
	defer w.discover.Unlock()
	asked := map[schema.GroupVersion]bool{}
	served := map[schema.GroupVersionKind]bool{}
	for _, f := range w.kinds {
		gv := f.gvk.GroupVersion()
		if asked[gv] {
			continue
		}
		asked[gv] = true
		list, err := w.discovery.ServerResourcesForGroupVersion(gv.String())
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for the kinds of %s: %w", gv, err)
		}
		for _, resource := range list.APIResources {
			served[gv.WithKind(resource.Kind)] = true
		}
	}
	return served, nil
}

func (w *watcher) start(ctx context.Context, k kind) error {
	informer, err := w.inform(ctx, k)
	if err != nil {
		return fmt.Errorf("watch %s: %w", k, err)
	}
	w.mu.Lock()
	w.started[k] = informer
	w.mu.Unlock()
	w.tell(change{kind: k})
	return nil
}

// inform starts the informer of a kind.
func (w *watcher) inform(ctx context.Context, k kind) (informer, error) {
	if f := w.feed(k); f != nil {
		f.tell = func(old, object *packed) { w.tell(change{kind: k, old: changed(old), new: changed(object)}) }
		f.start(ctx)
		return f, nil
	}
	object := w.kinds[k].object
	started, err := w.main.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	for _, i := range w.indexes[k] {
		if err := w.main.IndexField(ctx, object, i.field, i.keys); err != nil {
			return nil, fmt.Errorf("index by %s: %w", i.field, err)
		}
	}
	_, err = started.AddEventHandler(w.handler(k))
	return started, err
}

// feed is a new one for a kind, or nil for a kind of the main cache.
func (w *watcher) feed(k kind) *feed {
	if w.feeds == nil {
		return nil
	}
	return w.feeds(k)
}

// changed is a packed object as the one of a change: nil for none.
func changed(p *packed) client.Object {
	if p == nil {
		return nil
	}
	return p
}

func (w *watcher) stop(ctx context.Context, k kind) error {
	w.mu.Lock()
	started := w.started[k]
	delete(w.started, k)
	delete(w.heard, k)
	w.mu.Unlock()
	if f, ok := started.(*feed); ok {
		f.stop()
	} else if err := w.main.RemoveInformer(ctx, w.kinds[k].object); err != nil {
		return fmt.Errorf("end the watch on %s: %w", k, err)
	}
	w.tell(change{kind: k})
	return nil
}

// restart replaces the informer of a kind, if there is one. Until the new one is complete, the kind is read live.
func (w *watcher) restart(ctx context.Context, k kind) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	if _, started := w.informer(k); !started {
		return nil
	}
	if err := w.stop(ctx, k); err != nil {
		return err
	}
	return w.start(ctx, k)
}

// version is the newest that a complete cache of a kind has been told of.
func (w *watcher) version(k kind) (string, bool) {
	informer, ok := w.informer(k)
	if !ok || !informer.HasSynced() {
		return "", false
	}
	versioned, ok := informer.(interface{ LastSyncResourceVersion() string })
	if !ok {
		return "", false
	}
	version := versioned.LastSyncResourceVersion()
	return version, version != ""
}

func (w *watcher) handler(k kind) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { w.tell(change{kind: k, new: objectOf(object)}) },
		UpdateFunc: func(old, object any) { w.tell(change{kind: k, old: objectOf(old), new: objectOf(object)}) },
		DeleteFunc: func(object any) { w.tell(change{kind: k, old: objectOf(object)}) },
	}
}

// objectOf is the object of an event, also of a deletion that was only noticed later.
func objectOf(event any) client.Object {
	if missed, ok := event.(toolscache.DeletedFinalStateUnknown); ok {
		event = missed.Obj
	}
	object, _ := event.(client.Object)
	return object
}

func (w *watcher) tell(c change) {
	// A resync repeats what was told.
	if c.old != nil && c.new != nil && c.old.GetResourceVersion() == c.new.GetResourceVersion() {
		return
	}
	for _, listen := range w.listeners {
		listen(c)
	}
}

func (w *watcher) informer(k kind) (informer, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	informer, ok := w.started[k]
	return informer, ok
}

// ready says that the cache holds all objects of a kind.
func (w *watcher) ready(k kind) bool {
	informer, ok := w.informer(k)
	return ok && informer.HasSynced()
}

// reader is the cache that holds a kind, if it is complete and alive.
func (w *watcher) reader(k kind) (client.Reader, bool) {
	started, ok := w.informer(k)
	if !ok || !started.HasSynced() || w.stale(k) {
		return nil, false
	}
	if f, ok := started.(*feed); ok {
		return f.packs, true
	}
	return w.main, true
}

// synced is nil when every kind that the API server serves is completely cached.
func (w *watcher) synced() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if !w.polled {
		return errNotPolled
	}
	for _, k := range w.ordered() {
		if informer, ok := w.started[k]; ok && !informer.HasSynced() {
			return fmt.Errorf("%s: %w", k, errNotSynced)
		}
	}
	return nil
}

// ordered is every kind in a fixed order.
func (w *watcher) ordered() []kind {
	kinds := make([]kind, 0, len(w.kinds))
	for k := range w.kinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}
