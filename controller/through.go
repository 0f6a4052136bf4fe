// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// through keeps, for each Gateway, how many routes invoke each app through its companion, as it was a moment ago (appIDsKept): one route's
// decision tells of it, and to count is to read all routes of the Gateway.
type through struct {
	mu    sync.Mutex
	known map[mesh.Name]throughOne
}

type throughOne struct {
	read       time.Time
	generation uint64
	// apps is shared and not modified.
	apps []mesh.AppRoutes
}

func newThrough() *through { return &through{known: map[mesh.Name]throughOne{}} }

// through adds what else goes through the Gateways that a narrow need names.
func (b *build) through(ctx context.Context) error {
	if !b.need.Narrow {
		return nil
	}
	for _, name := range b.need.Gateways {
		ingress, ok := b.view.IngressOfGateway(name)
		if !ok {
			continue
		}
		apps, err := b.loader.through.of(ctx, b.loader, name, ingress)
		if err != nil {
			return err
		}
		b.view.Through = append(b.view.Through, mesh.IngressRoutes{Ingress: ingress.AppRef, Apps: apps})
	}
	return nil
}

func (t *through) of(ctx context.Context, l *Loader, gateway mesh.Name, ingress mesh.Ingress) ([]mesh.AppRoutes, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before, ok := t.known[gateway]; ok && l.believes(before.read, before.generation) {
		return before.apps, nil
	}
	now, generation := l.now(), l.recent.generation()
	count := map[mesh.AppRef]int{}
	only := []mesh.Ingress{ingress}
	for _, k := range []kind{kindHTTPRoute, kindGRPCRoute} {
		objects, _, err := list[client.Object](ctx, l.door, k, scope{index: byReference(), key: gatewayReference(gateway)})
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			for _, target := range l.route(object).calls.Targets(only) {
				count[target.App]++
			}
		}
	}
	apps := make([]mesh.AppRoutes, 0, len(count))
	for app, routes := range count {
		apps = append(apps, mesh.AppRoutes{App: app, Routes: routes})
	}
	slices.SortFunc(apps, func(a, b mesh.AppRoutes) int { return cmp.Compare(a.App.String(), b.App.String()) })
	t.known[gateway] = throughOne{now, generation, apps}
	return apps, nil
}
