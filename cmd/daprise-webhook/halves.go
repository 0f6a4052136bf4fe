// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// halves are a manager in two. What every replica does (the embedded Manager: caches, certificates, probes) lives until the last answer is given.
// What the leader does ends as soon as the replica is to leave, however long that takes: another one leads then, of the next version
// in an upgrade.
type halves struct {
	ctrl.Manager
	leading ctrl.Manager
	gauges  *leadersGauges
}

// Add implements manager.Manager.
func (h *halves) Add(runnable manager.Runnable) error {
	if every, ok := runnable.(manager.LeaderElectionRunnable); ok && !every.NeedLeaderElection() {
		return h.Manager.Add(runnable)
	}
	return h.leading.Add(runnable)
}

// Elected implements manager.Manager.
func (h *halves) Elected() <-chan struct{} { return h.leading.Elected() }

// newLeading is the other half of a manager: of its own it has the lease alone.
func newLeading(every ctrl.Manager, api *rest.Config, s settings) (ctrl.Manager, error) {
	leading, err := ctrl.NewManager(api, ctrl.Options{
		Scheme:         every.GetScheme(),
		Logger:         every.GetLogger(),
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return every.GetRESTMapper(), nil },
		NewCache:       func(*rest.Config, cache.Options) (cache.Cache, error) { return borrowed{every.GetCache()}, nil },
		NewClient:      func(*rest.Config, client.Options) (client.Client, error) { return every.GetClient(), nil },

		LeaderElection:                true,
		LeaderElectionID:              lease,
		LeaderElectionNamespace:       s.namespace,
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
	})
	if err != nil {
		return nil, fmt.Errorf("set up leading: %w", err)
	}
	return leading, nil
}

// borrowed is a cache that somebody else runs.
type borrowed struct{ cache.Cache }

// Start implements cache.Cache.
func (borrowed) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// errBroken is why a replica leaves that was not asked to. It does not linger then: it is worth more started anew.
var errBroken = errors.New("a part of the replica ended")

// together runs the halves and serves admission until ctx is done. What every replica does must outlive the last answer.
func together(ctx context.Context, h *halves, srv *server) error {
	group, leaving := errgroup.WithContext(ctx)
	managing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group.Go(func() error {
		defer stop()
		return srv.serve(leaving)
	})
	group.Go(func() error {
		if err := h.Start(managing); err != nil {
			return fmt.Errorf("%w: run the caches: %w", errBroken, err)
		}
		return nil
	})
	group.Go(func() error {
		defer h.gauges.drop()
		if err := h.leading.Start(leaving); err != nil {
			return fmt.Errorf("%w: run the controllers: %w", errBroken, err)
		}
		return nil
	})
	return group.Wait()
}

// leadersGauges register what only the leader tells, and let it be told no more when this replica leads no more.
type leadersGauges struct {
	prometheus.Registerer

	mu  sync.Mutex
	all []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (g *leadersGauges) Register(c prometheus.Collector) error {
	if err := g.Registerer.Register(c); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, c)
	return nil
}

func (g *leadersGauges) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range slices.Backward(g.all) {
		g.Unregister(c)
	}
	g.all = nil
}
