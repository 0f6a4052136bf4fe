// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// How long the cluster's app IDs are believed: for a moment whatever happens, longer while no change is heard of. They decide nothing: they keep
// a hint from taking an app ID for misspelt.
const (
	appIDsKept      = time.Second
	appIDsUnchanged = 10 * time.Second
)

// appIDs are the app IDs of the whole cluster, as they were a moment ago.
type appIDs struct {
	mu   sync.Mutex
	read time.Time
	// generation is that of recent, before they were read.
	generation uint64
	// sorted is shared and not modified.
	sorted []string
}

// appIDs adds the app IDs of the cluster, which has more namespaces than those concerned. With all namespaces there is no more to know.
func (b *build) appIDs(ctx context.Context) (err error) {
	if !b.need.AllNamespaces {
		b.view.AppIDs, err = b.loader.appIDs.of(ctx, b.loader)
	}
	return err
}

// believes says that what was read of the whole cluster at a time, after so many changes, still counts.
func (l *Loader) believes(read time.Time, generation uint64) bool {
	age := l.now().Sub(read)
	// A loader without caches loads a few times, of what changes in between.
	return l.door.caches != nil && (age < appIDsKept || age < appIDsUnchanged && generation == l.recent.generation())
}

func (a *appIDs) of(ctx context.Context, l *Loader) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.believes(a.read, a.generation) {
		return a.sorted, nil
	}
	now, generation := l.now(), l.recent.generation()
	var ids []string
	for _, k := range []kind{kindService, kindDeployment, kindGateway} {
		objects, _, err := list[client.Object](ctx, l.door, k, scope{})
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if id := object.GetLabels()[mesh.LabelAppID]; id != "" {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	a.read, a.generation, a.sorted = now, generation, slices.Compact(ids)
	return a.sorted, nil
}
