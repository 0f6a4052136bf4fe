// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// routesSettle is how long companions wait for more routes to change before they are looked at: what they are made of comes from all routes
// that go through them, and routes are often written many at once.
const routesSettle = 200 * time.Millisecond

// triggers tells which companions and routes a change concerns.
type triggers struct {
	loader     *Loader
	companions *keys[mesh.AppRef]
	routes     *keys[routeKey]
	log        logr.Logger
	// patience bounds the reads of one event.
	patience time.Duration
}

// hear forgets what was derived from deleted objects, on every replica, and puts what a change concerns in the queues of the leader.
func (t *triggers) hear(c change) {
	if c.old != nil && c.new == nil {
		t.loader.forget(c.kind, c.old.GetUID())
	}
	if !matters(c) {
		// Our conditions are in the status of what is enrolled: if somebody else takes them away, they are set again.
		t.companions.add(refsBy(mesh.LabelAppID, c)...)
		return
	}
	t.loader.heard(c)
	if !t.companions.running() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.patience)
	defer cancel()
	if c.old == nil && c.new == nil {
		t.everything(ctx)
		return
	}
	switch c.kind {
	case kindService, kindDeployment, kindGateway:
		t.companions.add(refsBy(mesh.LabelAppID, c)...)
	case kindHTTPRoute, kindGRPCRoute:
		t.heardRoute(ctx, c)
	case kindNamespace:
		t.heardNamespace(ctx, c)
	case kindNetworkPolicy:
		t.companions.add(t.refsIn(ctx, one(c).GetNamespace())...)
	case kindReferenceGrant:
		t.routes.add(t.routesBy(ctx, scope{index: byNamespace(), key: one(c).GetNamespace()})...)
		t.companions.add(ownedRefs(c)...)
	case kindCiliumPolicy:
		t.companions.add(t.refsIn(ctx, one(c).GetNamespace())...)
		t.companions.add(ownedRefs(c)...)
	case kindConfiguration:
		t.companions.add(t.heardConfiguration(ctx, one(c).GetNamespace())...)
	case kindHolder, kindEndpoints:
		t.heardPods(c)
	case kindClusterwidePolicy, kindCIDRGroup, kindEarlierGroup, kindConfigMap, kindCiliumAgent:
		t.companions.add(t.refsIn(ctx, "")...)
	default:
		t.companions.add(ownedRefs(c)...)
	}
}

// everything puts every companion and every route in the queues.
func (t *triggers) everything(ctx context.Context) {
	t.companions.add(t.refsIn(ctx, "")...)
	t.routes.add(t.routesBy(ctx, scope{})...)
}

func (t *triggers) heardRoute(ctx context.Context, c change) {
	if c.new != nil {
		t.routes.add(routeKey{c.kind, client.ObjectKeyFromObject(c.new)})
	}
	for _, object := range []client.Object{c.old, c.new} {
		if object == nil {
			continue
		}
		r := routeOf(object)
		t.companions.addAfter(routesSettle, r.apps...)
		for _, ns := range r.need.Namespaces {
			// Which companions stand behind the Services and Gateways named is for the caches to say.
			t.companions.addAfter(routesSettle, t.refsNamed(ctx, ns, r)...)
		}
	}
}

func (t *triggers) heardNamespace(ctx context.Context, c change) {
	ns := one(c).GetName()
	if c.new == nil {
		t.loader.recent.forget(ns)
		t.loader.pods.forget(ns)
	}
	t.companions.add(t.refsIn(ctx, ns)...)
	if c.new == nil {
		return
	}
	// Gateways may admit a namespace's routes by its labels.
	for _, k := range []kind{kindHTTPRoute, kindGRPCRoute} {
		for _, object := range t.cached(ctx, k, scope{namespace: ns}) {
			t.heardRoute(ctx, change{kind: k, new: object})
		}
	}
}

// readmit puts the routes in the queue that concern one of the references.
func (t *triggers) readmit(references []string) {
	ctx, cancel := context.WithTimeout(context.Background(), t.patience)
	defer cancel()
	for _, reference := range references {
		t.routes.add(t.routesBy(ctx, scope{index: byReference(), key: reference})...)
	}
}

func (t *triggers) routesBy(ctx context.Context, s scope) []routeKey {
	var found []routeKey
	for _, k := range []kind{kindHTTPRoute, kindGRPCRoute} {
		for _, object := range t.cached(ctx, k, s) {
			found = append(found, routeKey{k, types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}})
		}
	}
	return found
}

// refsIn are the app IDs, enrolled or leaving, of a namespace, or of all, by namespace: those of one that come one after the other share what
// is loaded for it.
func (t *triggers) refsIn(ctx context.Context, namespace string) []mesh.AppRef {
	all := map[mesh.AppRef]bool{}
	for _, k := range []kind{kindService, kindDeployment, kindGateway} {
		for _, object := range t.cached(ctx, k, scope{namespace: namespace}) {
			all[mesh.AppRef{Namespace: object.GetNamespace(), ID: object.GetLabels()[mesh.LabelAppID]}] = true
		}
	}
	for _, k := range append(ownedKinds(), kindCiliumPolicy) {
		for _, object := range t.cached(ctx, k, scope{namespace: namespace}) {
			if object.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedByDaprise {
				all[mesh.AppRef{Namespace: object.GetNamespace(), ID: object.GetLabels()[mesh.LabelInstance]}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b mesh.AppRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
	})
}

// refsNamed are the app IDs of a namespace's Services and Gateways that a route names, and of the companions behind its backends.
func (t *triggers) refsNamed(ctx context.Context, namespace string, r route) []mesh.AppRef {
	var refs []mesh.AppRef
	for k, names := range map[kind][]mesh.Name{kindService: r.need.Services, kindGateway: r.need.Gateways, ownedService: r.need.Services} {
		label := mesh.LabelAppID
		if k == ownedService {
			label = mesh.LabelInstance
		}
		reader, ok := t.loader.door.cached(k)
		if !ok {
			continue
		}
		for _, name := range names {
			if name.Namespace != namespace {
				continue
			}
			if held, ok := reader.(*packs); ok {
				if p := held.of(name); p != nil {
					refs = append(refs, mesh.AppRef{Namespace: namespace, ID: p.head.labels[label]})
				}
				continue
			}
			object, ok := t.loader.door.kinds[k].object.DeepCopyObject().(client.Object)
			if !ok || reader.Get(ctx, name, object) != nil {
				continue
			}
			refs = append(refs, mesh.AppRef{Namespace: namespace, ID: object.GetLabels()[label]})
		}
	}
	return refs
}

// cached lists from a complete cache. What is not cached yet comes with events of its own.
func (t *triggers) cached(ctx context.Context, k kind, s scope) []client.Object {
	if _, ok := t.loader.door.cached(k); !ok {
		return nil
	}
	objects, _, err := list[client.Object](ctx, t.loader.door, k, s)
	if err != nil {
		t.log.Error(err, "list what a change concerns", "kind", k)
	}
	return objects
}

// one is the object of an event, the newer if there are two.
func one(c change) client.Object {
	if c.new != nil {
		return c.new
	}
	return c.old
}

// refsBy are the app IDs in a label, before and after a change.
func refsBy(label string, c change) []mesh.AppRef {
	var refs []mesh.AppRef
	for _, object := range []client.Object{c.old, c.new} {
		if object == nil {
			continue
		}
		if id := object.GetLabels()[label]; id != "" {
			refs = append(refs, mesh.AppRef{Namespace: object.GetNamespace(), ID: id})
		}
	}
	return refs
}

// ownedRefs are the app IDs that a changed object was made for, if daprise made it.
func ownedRefs(c change) []mesh.AppRef {
	if one(c).GetLabels()[mesh.LabelManagedBy] != mesh.ManagedByDaprise {
		return nil
	}
	return refsBy(mesh.LabelInstance, c)
}
