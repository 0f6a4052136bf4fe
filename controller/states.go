// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// companions adds what is known of running companions and of the Services that daprise made.
func (b *build) companions(ctx context.Context) error {
	workloads := map[mesh.AppRef][]client.Object{}
	var services []client.Object
	namespaces := b.concerned
	if b.need.AllNamespaces {
		namespaces = []string{""}
	}
	for _, ns := range namespaces {
		for _, k := range []kind{ownedDeployment, ownedDaemonSet} {
			found, err := listed[client.Object](ctx, b, k, scope{namespace: ns})
			if err != nil {
				return err
			}
			for _, w := range found {
				ref := mesh.AppRef{Namespace: w.GetNamespace(), ID: w.GetLabels()[mesh.LabelInstance]}
				workloads[ref] = append(workloads[ref], w)
			}
		}
		found, err := listed[client.Object](ctx, b, ownedService, scope{namespace: ns})
		if err != nil {
			return err
		}
		services = append(services, found...)
	}
	for _, s := range services {
		b.view.CompanionServices = append(b.view.CompanionServices, mesh.Name{Namespace: s.GetNamespace(), Name: s.GetName()})
	}
	b.targets(services)
	slices.SortFunc(b.view.CompanionServices, func(x, y mesh.Name) int { return cmp.Compare(x.String(), y.String()) })
	b.result.joining = prospects(b.view, b.stored)
	if err := b.fronts(services); err != nil {
		return err
	}
	b.result.callers = callersOf(prospective(b.view, b.result.joining))
	return b.addStates(workloads)
}

func (b *build) addStates(workloads map[mesh.AppRef][]client.Object) error {
	for i := range b.view.Apps {
		app := &b.view.Apps[i]
		if len(workloads[app.AppRef]) == 0 {
			continue
		}
		in := autoscaledAs(b.result.inputForApp(b.view, *app), workloads[app.AppRef])
		state, err := b.loader.states.of(app.AppRef, *app, in, workloads[app.AppRef])
		if err != nil {
			return fmt.Errorf("state of the companion of %s: %w", app.AppRef, err)
		}
		app.Companion = state
	}
	for i := range b.view.Ingresses {
		ingress := &b.view.Ingresses[i]
		if len(workloads[ingress.AppRef]) == 0 {
			continue
		}
		in := autoscaledAs(b.result.inputForIngress(b.view, ingress.AppRef), workloads[ingress.AppRef])
		state, err := b.loader.states.of(ingress.AppRef, *ingress, in, workloads[ingress.AppRef])
		if err != nil {
			return fmt.Errorf("state of the companion of %s: %w", ingress.AppRef, err)
		}
		ingress.Companion = state
	}
	return nil
}

// inputFor is what a companion's objects are rendered from beside its App or Ingress.
func (l loaded) inputFor(view *mesh.View, ref mesh.AppRef) companion.Input {
	if app, ok := view.App(ref); ok {
		return l.inputForApp(view, app)
	}
	return l.inputForIngress(view, ref)
}

func (l loaded) inputForApp(view *mesh.View, app mesh.App) companion.Input {
	in := l.inputForIngress(view, app.AppRef)
	configuration, _ := view.ConfigurationOf(app)
	in.UserConfiguration = configuration.Content
	return in
}

func (l loaded) inputForIngress(view *mesh.View, ref mesh.AppRef) companion.Input {
	in := companion.Input{Config: view.Config, TrustAnchors: l.trust.anchors, Callers: l.callers[ref], TrustDomains: map[mesh.AppRef]string{}}
	for _, caller := range in.Callers {
		if domain := view.TrustDomain(caller); domain != mesh.PublicTrustDomain {
			in.TrustDomains[caller] = domain
		}
	}
	return in
}

// complete says whether all is known that a companion is rendered from. Without it nothing can be rendered as it should be, and nothing
// is started or rolled.
func complete(enrolled any, in companion.Input) bool {
	app, isApp := enrolled.(mesh.App)
	return in.TrustAnchors != "" && (!isApp || app.Configuration() == "" || in.UserConfiguration != "")
}

// prospects are the flows that routes of enrolled Gateways would add if they went through the companions, though they go straight to
// the apps yet: whoever joins must already be let in.
func prospects(view *mesh.View, stored []route) []mesh.RouteTarget {
	apps := map[mesh.Name]mesh.AppRef{}
	for _, app := range view.Apps {
		apps[mesh.Name{Namespace: app.Namespace, Name: app.Service}] = app.AppRef
	}
	var found []mesh.RouteTarget
	for _, r := range stored {
		if r.optedOut {
			continue
		}
		for _, gateway := range r.need.Gateways {
			ingress, ok := view.IngressOfGateway(gateway)
			if !ok {
				continue
			}
			for _, service := range r.need.Services {
				if app, ok := apps[service]; ok {
					found = append(found, mesh.RouteTarget{Route: r.object, Ingress: ingress.AppRef, App: app})
				}
			}
		}
	}
	return found
}

// prospective is a View in which the prospects are routes already. It does not modify its argument.
func prospective(view *mesh.View, found []mesh.RouteTarget) *mesh.View {
	v := *view
	v.Routes = slices.Concat(view.Routes, found)
	return &v
}

// callersOf are, for each app of a prospective View, all who may invoke it: its own callers and the ingress companions that route to it.
// Sorted, each once.
func callersOf(view *mesh.View) map[mesh.AppRef][]mesh.AppRef {
	callers := map[mesh.AppRef][]mesh.AppRef{}
	for _, app := range view.Apps {
		callers[app.AppRef] = slices.Clone(app.Callers)
	}
	for _, target := range view.Routes {
		callers[target.App] = append(callers[target.App], target.Ingress)
	}
	for app, refs := range callers {
		slices.SortFunc(refs, func(a, b mesh.AppRef) int { return cmp.Compare(a.String(), b.String()) })
		callers[app] = slices.Compact(refs)
	}
	return callers
}

// states keeps the state of companions: to tell one, the companion is rendered and compared, which is too dear for every request.
type states struct {
	mu    sync.Mutex
	known map[mesh.AppRef]known
}

// known is a state and everything it was told from.
type known struct {
	enrolled      any
	anchors       string
	callers       []mesh.AppRef
	trustDomains  map[mesh.AppRef]string
	configuration string
	workloads     []version
	state         mesh.CompanionState
}

type version struct {
	uid     types.UID
	version string
}

func newStates() *states { return &states{known: map[mesh.AppRef]known{}} }

// of is the state of a companion. enrolled is its mesh.App or mesh.Ingress, workloads what runs under its app ID.
func (s *states) of(ref mesh.AppRef, enrolled any, in companion.Input, workloads []client.Object) (mesh.CompanionState, error) {
	if ingress, ok := enrolled.(mesh.Ingress); ok {
		// They have Services, and the workload is the same. Not every load knows all of them.
		ingress.Splits = nil
		enrolled = ingress
	}
	now := known{
		enrolled: enrolled, anchors: in.TrustAnchors, callers: in.Callers, trustDomains: in.TrustDomains, configuration: in.UserConfiguration,
	}
	for _, w := range workloads {
		now.workloads = append(now.workloads, version{w.GetUID(), w.GetResourceVersion()})
	}
	s.mu.Lock()
	before, ok := s.known[ref]
	s.mu.Unlock()
	if now.state = before.state; ok && reflect.DeepEqual(now, before) {
		return before.state, nil
	}
	workloads, err := unpacked(workloads)
	if err != nil {
		return mesh.CompanionState{}, err
	}
	state := servingState(workloads)
	if complete(enrolled, in) {
		if state, err = stateOf(rendered(enrolled, in), workloads); err != nil {
			return state, err
		}
	}
	now.state = state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[ref] = now
	return state, nil
}

// rendered are the objects of a companion.
func rendered(enrolled any, in companion.Input) []runtime.Object {
	switch e := enrolled.(type) {
	case mesh.App:
		return companion.App(e, in)
	case mesh.Ingress:
		return companion.Ingress(e, in)
	default:
		return nil
	}
}

// stateOf tells a companion's state from its workloads.
func stateOf(objects []runtime.Object, workloads []client.Object) (mesh.CompanionState, error) {
	var desired runtime.Object
	for _, object := range objects {
		if companion.IsWorkload(object) {
			desired = object
		}
	}
	for _, live := range workloads {
		if sameKind(desired, live) {
			return companion.State(desired, live)
		}
	}
	return mesh.CompanionState{Live: len(workloads) > 0}, nil
}

// servingState is a companion's state where it cannot be rendered: it counts as current as long as it serves.
func servingState(workloads []client.Object) mesh.CompanionState {
	return mesh.CompanionState{
		Live:  len(workloads) > 0,
		Ready: slices.ContainsFunc(workloads, func(w client.Object) bool { return companion.Serves(w) }),
	}
}

func sameKind(a, b runtime.Object) bool {
	switch a.(type) {
	case *appsv1.Deployment:
		_, same := b.(*appsv1.Deployment)
		return same
	case *appsv1.DaemonSet:
		_, same := b.(*appsv1.DaemonSet)
		return same
	default:
		return false
	}
}
