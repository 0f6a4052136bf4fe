// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// doubtEvery and lateBy together, with one sweep, keep the time from a watch's death to the report of what it hid within a minute.
	doubtEvery = 15 * time.Second
	// lateBy is how much later than the second watch the first one may hear of a change.
	lateBy = 5 * time.Second
	// doubtSeconds is how long the second watch is open where nothing has changed. What has, the API server tells at once.
	doubtSeconds = 1
)

// opener opens watches on the API server itself (client.WithWatch).
type opener interface {
	Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error)
}

// doubter finds watches that have died without a word: connections that stay open and tell nothing any more. It asks the API server, by a
// second watch that is open for a moment, what has changed since the last that the first one told of. If the first does not tell of it
// either within lateBy, it is replaced by a new one, which begins with a list. It runs on every replica, since each decides on its own
// caches.
type doubter struct {
	watcher *watcher
	api     opener
	log     logr.Logger
	every   time.Duration
	late    time.Duration
}

func newDoubter(api opener, w *watcher) *doubter {
	return &doubter{watcher: w, api: api, log: w.log, every: doubtEvery, late: lateBy}
}

// NeedLeaderElection says that every replica doubts.
func (*doubter) NeedLeaderElection() bool { return false }

// Start doubts until the context is done. Errors are logged: what could not be asked is asked again.
func (d *doubter) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, d.round, d.every)
	return nil
}

// round asks about every kind at once.
func (d *doubter) round(ctx context.Context) {
	var mu sync.Mutex
	var group sync.WaitGroup
	suspects := map[kind]string{}
	for _, k := range d.watcher.ordered() {
		since, ok := d.watcher.version(k)
		if !ok {
			continue
		}
		group.Go(func() {
			missed, err := d.missed(ctx, k, since)
			if err != nil && ctx.Err() == nil {
				d.log.Error(err, "ask for what a watch may have missed", "kind", k)
			}
			if missed {
				mu.Lock()
				defer mu.Unlock()
				suspects[k] = since
			}
		})
	}
	group.Wait()
	if len(suspects) == 0 {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(d.late):
	}
	for k, since := range suspects {
		if now, ok := d.watcher.version(k); !ok || now != since {
			continue
		}
		d.log.Info("a watch has gone silent: watching anew", "kind", k)
		if err := d.watcher.restart(ctx, k); err != nil {
			d.log.Error(err, "watch anew", "kind", k)
		}
	}
}

// missed says whether the API server has changes of a kind to tell since a version, or has forgotten that version.
func (d *doubter) missed(ctx context.Context, k kind, since string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, d.every)
	defer cancel()
	f := d.watcher.kinds[k]
	list, ok := f.list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return false, fmt.Errorf("%T is no list", f.list)
	}
	seconds := int64(doubtSeconds)
	events, err := d.api.Watch(ctx, list, &client.ListOptions{
		LabelSelector: f.selector, Raw: &metav1.ListOptions{ResourceVersion: since, TimeoutSeconds: &seconds},
	})
	if isTooOld(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("watch %s from version %s: %w", k, since, err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted:
			return true, nil
		case watch.Error:
			if err := apierrors.FromObject(event.Object); !isTooOld(err) {
				return false, fmt.Errorf("watch %s from version %s: %w", k, since, err)
			}
			return true, nil
		}
	}
	return false, nil
}

func isTooOld(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }
