// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Loader builds the World of a decision from a cluster: from the informer caches, or from the API server itself. The two give the same
// answer but for the caches' delay; a kind whose cache is not complete is read from the API server either way.
type Loader struct {
	config   mesh.Config
	door     door
	compiled *memo[*policy.Policy]
	routes   *memo[route]
	// configurations are what was read of Dapr's Configurations.
	configurations *memo[mesh.Configuration]
	states         *states
	flights        *flights[policy.World]
	// glances are looks at single objects (Unseen).
	glances    *flights[bool]
	turns      *turns
	candidates *candidates
	pods       *podsRead
	recent     *recent
	narrow     *narrow
	alike      *alike
	through    *through
	dapr       *daprRead
	appIDs     *appIDs
	now        func() time.Time
	// synced is nil for a loader without caches.
	synced func() error
}

// NewLoader loads from a reader alone, without caches: the API server, or a test's fake.
func NewLoader(config mesh.Config, reader client.Reader) *Loader {
	return newLoader(config, door{live: reader, kinds: kindsWatched()})
}

func newLoader(config mesh.Config, d door) *Loader {
	return &Loader{
		config:         config,
		door:           d,
		compiled:       newMemo[*policy.Policy](),
		routes:         newMemo[route](),
		configurations: newMemo[mesh.Configuration](),
		states:         newStates(),
		flights:        newFlights[policy.World](),
		glances:        newFlights[bool](),
		turns:          newTurns(),
		candidates:     newCandidates(),
		pods:           newPodsRead(),
		recent:         newRecent(),
		narrow:         newNarrow(),
		alike:          newAlike(),
		through:        newThrough(),
		dapr:           newDaprRead(),
		appIDs:         &appIDs{},
		now:            time.Now,
	}
}

// Load is the World of a need, from the caches. It is shared and must not be modified. An error means that the API server could not be
// read where a cache was not complete, never that something does not exist.
func (l *Loader) Load(ctx context.Context, need mesh.Need) (policy.World, error) {
	load := func(ctx context.Context, need mesh.Need) (loaded, error) { return l.load(ctx, l.door, need) }
	if need.Narrow && !need.AllNamespaces && l.door.caches != nil {
		load = l.narrowed
	}
	loaded, err := load(ctx, need)
	if err != nil {
		return policy.World{}, fmt.Errorf("load the view: %w", err)
	}
	return loaded.world, nil
}

// LoadLive is the World of a need, from the API server, for a write of a namespace, which is "" where the object is in none. Equal needs of one
// namespace share one load that starts after each of them asked; loads wait for their turn as long as ctx lasts.
func (l *Loader) LoadLive(ctx context.Context, namespace string, need mesh.Need) (policy.World, error) {
	world, err := l.flights.do(ctx, fmt.Sprintf("%s %+v", namespace, need), func(ctx context.Context) (policy.World, error) {
		if err := l.turns.wait(ctx, namespace); err != nil {
			return policy.World{}, err
		}
		loaded, err := l.load(ctx, l.door.liveDoor(), need)
		return loaded.world, err
	})
	if err != nil {
		return policy.World{}, fmt.Errorf("load the view from the API server: %w", err)
	}
	return world, nil
}

// forget drops what was derived from a deleted object.
func (l *Loader) forget(k kind, uid types.UID) {
	switch k {
	case kindHTTPRoute, kindGRPCRoute:
		l.routes.forget(uid)
	case kindCiliumPolicy, kindClusterwidePolicy, kindNetworkPolicy:
		l.compiled.forget(uid)
	case kindConfiguration:
		l.configurations.forget(uid)
	}
}

// loaded is a World and what it was made from.
type loaded struct {
	world    policy.World
	objects  mesh.Objects
	findings []mesh.Finding
	// joining are the flows that routes would add that go straight to apps yet (prospects).
	joining []mesh.RouteTarget
	// callers are all who may invoke each app (callersOf).
	callers map[mesh.AppRef][]mesh.AppRef
	// concerned are the namespaces that this was read from, beside what is said once for the whole cluster.
	concerned []string
	// passing says that something was read live of which no event tells when it changes.
	passing bool
	// standing are the namespaces that exist and are not being deleted.
	standing []string
	// trust is what is known of Dapr's public trust bundle.
	trust trust
	// dapr says that Dapr's Configuration is served.
	dapr bool
	// daprVersion is that of Dapr's control plane, or empty where it could not be learned.
	daprVersion string
}

// load reads what a need asks for and what follows from it: the namespaces at the other end of routes and callers.
func (l *Loader) load(ctx context.Context, d door, need mesh.Need) (loaded, error) {
	b := &build{loader: l, door: d, need: need, view: &mesh.View{Config: l.config, Namespaces: map[string]map[string]string{}}}
	for _, step := range []func(context.Context) error{
		b.routes, b.ends, b.enrolments, b.callers, b.configurations, b.splits, b.namespaces, b.referred, b.pods, b.grants, b.policies, b.appIDs, b.environment,
		b.companions, b.foreign, b.through,
	} {
		if err := step(ctx); err != nil {
			return loaded{}, err
		}
	}
	b.expected()
	b.view.Missing = slices.Sorted(slices.Values(b.missing))
	set := policy.NewSet(b.compiled...).InCilium(b.view.Cilium).WithCIDRGroups(b.groups...)
	b.result.world, b.result.concerned = policy.World{View: b.view, Set: set}, b.concerned
	return b.result, nil
}
