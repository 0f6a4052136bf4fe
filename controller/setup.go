// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
)

// Defaults of Options.
const (
	defaultConcurrency = 8
	defaultSweep       = 30 * time.Second
)

// Retries of a companion or route wait from firstRetry, doubling, to lastRetry.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = time.Minute
)

// Options of the controllers. The zero value of a field stands for its default, but Config has none.
type Options struct {
	Config mesh.Config
	// Namespace that daprise runs in; mesh.SystemNamespace by default. Its routes are left alone.
	Namespace string
	// Registerer of metrics; controller-runtime's own registry is given by the caller. Nil registers nowhere.
	Registerer prometheus.Registerer
	// Concurrency is how many companions are brought up to date at a time: 8 by default.
	Concurrency int
	// Sweep is how often every companion is looked at though nothing seems to have changed: 30 seconds by default, a minute at most.
	Sweep time.Duration
}

// Setup adds to a manager what loads Views, on every replica, and the controllers, on the leader. The manager's cache is made with
// CacheOptions and its scheme with Scheme. The Loader returned may be used once the manager runs; ReadyCheck tells when its caches are
// complete, and until then it reads the API server.
func Setup(mgr manager.Manager, options Options) (*Loader, error) {
	options = options.withDefaults()
	loader, watch, err := newWatchedLoader(mgr, options)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(options.Registerer)
	if err != nil {
		return nil, err
	}
	log := mgr.GetLogger().WithName("controller")
	recorder := mgr.GetEventRecorder(mesh.FieldManager)
	t := &triggers{loader: loader, companions: &keys[mesh.AppRef]{}, routes: &keys[routeKey]{}, log: log, patience: 5 * time.Second}
	watch.listeners = append(watch.listeners, t.hear)

	t.companions.begin = sweep(t, options.Sweep)
	t.routes.begin = t.everything
	exempt := exemptIn(options.Config, options.Namespace)
	status, err := statusClient(mgr)
	if err != nil {
		return nil, err
	}
	work := crew{mgr, options.Concurrency}
	err = add(work, "companion", t.companions, &companions{
		loader:  loader,
		writer:  writer{client: mgr.GetClient(), live: mgr.GetAPIReader(), log: log, taken: newTaken()},
		reports: newReports(status, loader.door, recorder),
		metrics: m,
		readmit: t.readmit,
		again:   t.companions.add,
		told:    map[mesh.AppRef]told{},
		rolls:   newRolls(), departures: newDepartures(),
	})
	if err != nil {
		return nil, err
	}
	err = add(work, "route", t.routes, &routes{
		loader:  loader,
		client:  mgr.GetClient(),
		live:    mgr.GetAPIReader(),
		events:  recorder,
		log:     log,
		exempt:  exempt,
		refused: map[routeKey]mesh.Code{},
	})
	if err != nil {
		return nil, err
	}
	late := &newcomers{client: mgr.GetClient(), live: mgr.GetAPIReader(), loader: loader, exempt: exempt, events: recorder, log: log}
	if err := mgr.Add(late); err != nil {
		return nil, fmt.Errorf("add the pass over objects that were annotated before: %w", err)
	}
	return loader, nil
}

// statusClient writes conditions. A client keeps to its rate for each kind: with one of their own, the conditions of Services do not hold up
// the Services of companions.
func statusClient(mgr manager.Manager) (client.StatusClient, error) {
	c, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("make the client of conditions: %w", err)
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Namespace == "" {
		o.Namespace = mesh.SystemNamespace
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Sweep == 0 {
		o.Sweep = defaultSweep
	}
	return o
}

// newWatchedLoader makes what keeps the informers of the cache and the packed caches, and a Loader over them.
func newWatchedLoader(mgr manager.Manager, options Options) (*Loader, *watcher, error) {
	api, err := client.NewWithWatch(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, nil, fmt.Errorf("make the client of watches: %w", err)
	}
	asks, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, nil, fmt.Errorf("make the discovery client: %w", err)
	}
	kinds := kindsWatched()
	feeds := feeder{api: api, kinds: kinds, forms: forms(kinds), indexes: indexes()}
	watch := &watcher{
		discovery: asks, main: mgr.GetCache(), feeds: feeds.feed, log: mgr.GetLogger().WithName("watch"),
		kinds: kinds, indexes: indexes(), now: time.Now,
		started: map[kind]informer{}, heard: map[kind]sign{},
	}
	loader := newLoader(options.Config, door{caches: watch, live: mgr.GetAPIReader(), kinds: watch.kinds})
	for _, runnable := range []manager.Runnable{watch, newDoubter(api, watch)} {
		if err := mgr.Add(runnable); err != nil {
			return nil, nil, fmt.Errorf("add the caches: %w", err)
		}
	}
	loader.synced = watch.synced
	return loader, watch, nil
}

// crew is how many work for a manager on one kind of keys.
type crew struct {
	mgr         manager.Manager
	concurrency int
}

// add adds a controller that runs on the leader.
func add[K comparable](work crew, name string, k *keys[K], r reconcile.TypedReconciler[K]) error {
	c, err := controller.NewTyped(name, work.mgr, controller.TypedOptions[K]{
		MaxConcurrentReconciles: work.concurrency,
		Reconciler:              r,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstRetry, lastRetry),
		// Several managers may run in one process.
		SkipNameValidation: new(true),
	})
	if err != nil {
		return fmt.Errorf("make the controller of %ss: %w", name, err)
	}
	if err := c.Watch(k.source()); err != nil {
		return fmt.Errorf("start the controller of %ss: %w", name, err)
	}
	return nil
}

// sweep puts every companion in the queue, at once and then again and again: what no event tells (another namespace's policies, a wrong
// admission by a replica with an older cache) is found within the interval.
func sweep(t *triggers, interval time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			t.companions.add(t.refsIn(ctx, "")...)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}
}

// ready says whether ReadyCheck has nothing to say.
func (l *Loader) ready() bool { return l.ReadyCheck(nil) == nil }

// ReadyCheck is nil when every kind that the API server serves is completely cached (controller-runtime's healthz.Checker). Kinds that
// are not served do not count.
func (l *Loader) ReadyCheck(*http.Request) error {
	if l.synced == nil {
		return nil
	}
	return l.synced()
}
