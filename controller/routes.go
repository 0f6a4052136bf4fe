// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
)

// routeKey names a stored route.
type routeKey struct {
	kind kind
	types.NamespacedName
}

// errNotReadmitted makes a route that admission left as it was be tried again, later each time: admission on another replica may have
// looked at caches that are a moment behind, or may be down.
var errNotReadmitted = errors.New("admission left the route as it was, though it should change")

// routes has stored routes admitted again when admission would decide otherwise now. It touches one annotation and never the spec.
type routes struct {
	loader *Loader
	client client.Client
	live   client.Reader
	events events.EventRecorder
	log    logr.Logger
	exempt func(view *mesh.View, namespace string) bool

	mu sync.Mutex
	// refused is the code of the last refusal told about a route.
	refused map[routeKey]mesh.Code
}

// Reconcile looks at one route.
func (r *routes) Reconcile(ctx context.Context, key routeKey) (reconcile.Result, error) {
	if !r.loader.ready() {
		return reconcile.Result{RequeueAfter: notReady}, nil
	}
	cached, err := get[client.Object](ctx, r.loader.door, key.kind, key.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	if cached == nil || cached.GetDeletionTimestamp() != nil {
		r.tellRefusal(key, nil, nil)
		return reconcile.Result{}, nil
	}
	exempt, err := r.exempted(ctx, key.Namespace)
	if err != nil || exempt {
		return reconcile.Result{}, err
	}
	world, err := r.loader.Load(ctx, r.loader.route(cached).need)
	if err != nil {
		return reconcile.Result{}, err
	}
	// The cache drops what it does not know; what is patched is judged whole and fresh.
	decision, stored, err := r.judge(ctx, key, cached, world.View)
	if err != nil || stored == nil {
		return reconcile.Result{}, err
	}
	if len(decision.refused) > 0 {
		r.tellRefusal(key, cached, decision.refused)
		return reconcile.Result{}, fmt.Errorf("%s %s: %w", key.kind, key.NamespacedName, errNotReadmitted)
	}
	if decision.patch == nil {
		r.tellRefusal(key, cached, decision.unfit)
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.touch(ctx, attempt{key, cached, world.View}, decision.patch)
}

// judge decides on the cached route and, if that should change, again on the stored one. The stored route is nil if it is gone.
func (r *routes) judge(ctx context.Context, key routeKey, cached client.Object, view *mesh.View) (readmission, *unstructured.Unstructured, error) {
	known, err := content(cached, r.loader.door.kinds[key.kind])
	if err != nil {
		return readmission{}, nil, err
	}
	decision, err := readmit(known, view)
	if err != nil || decision.patch == nil && len(decision.refused) == 0 {
		return decision, known, err
	}
	stored := untyped(r.loader.door.kinds[key.kind].gvk)
	if err := r.live.Get(ctx, key.NamespacedName, stored); err != nil {
		if apierrors.IsNotFound(err) {
			return readmission{}, nil, nil
		}
		return readmission{}, nil, fmt.Errorf("get %s %s: %w", key.kind, key.NamespacedName, err)
	}
	decision, err = readmit(stored, view)
	return decision, stored, err
}

// attempt is one look at one route.
type attempt struct {
	key    routeKey
	cached client.Object
	view   *mesh.View
}

// touch patches the route and looks whether admission did what was expected.
func (r *routes) touch(ctx context.Context, a attempt, patch []byte) error {
	result := untyped(r.loader.door.kinds[a.key.kind].gvk)
	result.SetNamespace(a.key.Namespace)
	result.SetName(a.key.Name)
	err := r.client.Patch(ctx, result, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(mesh.FieldManager))
	if apierrors.IsNotFound(err) {
		return nil
	}
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		r.tell(a.key, a.cached, reasonRefused, err.Error())
	}
	if err != nil {
		return fmt.Errorf("touch %s %s: %w", a.key.kind, a.key.NamespacedName, err)
	}
	r.log.V(1).Info("readmitted", "kind", a.key.kind, "route", a.key.String())
	again, err := readmit(result, a.view)
	if err != nil {
		return err
	}
	if again.patch != nil {
		return fmt.Errorf("%s %s: %w", a.key.kind, a.key.NamespacedName, errNotReadmitted)
	}
	r.tellRefusal(a.key, a.cached, nil)
	return nil
}

// tellRefusal records an Event when a route's refusal is new, and forgets it when there is none.
func (r *routes) tellRefusal(key routeKey, object client.Object, findings []mesh.Finding) {
	if len(findings) == 0 {
		r.mu.Lock()
		delete(r.refused, key)
		r.mu.Unlock()
		return
	}
	r.tell(key, object, findings[0].Code, sentence(findings[0]))
}

func (r *routes) tell(key routeKey, object client.Object, code mesh.Code, note string) {
	r.mu.Lock()
	before := r.refused[key]
	r.refused[key] = code
	r.mu.Unlock()
	if before == code || object == nil {
		return
	}
	r.events.Eventf(object, nil, corev1.EventTypeWarning, reasonRefused, action, "%s", noteOf(note))
}

// exempted says whether a namespace's routes are left alone, without loading more than its labels.
func (r *routes) exempted(ctx context.Context, namespace string) (bool, error) {
	ns, err := get[*corev1.Namespace](ctx, r.loader.door, kindNamespace, client.ObjectKey{Name: namespace})
	if err != nil {
		return false, err
	}
	view := &mesh.View{Namespaces: map[string]map[string]string{}}
	if ns != nil {
		view.Namespaces[namespace] = ns.Labels
	}
	return r.exempt(view, namespace), nil
}

// exemptIn says whether a namespace's objects are kept from admission: those of the config file, daprise's own, and labelled ones.
func exemptIn(config mesh.Config, own string) func(*mesh.View, string) bool {
	return func(view *mesh.View, namespace string) bool {
		return namespace == own || slices.Contains(config.ExemptNamespaces, namespace) ||
			view.Namespaces[namespace][mesh.LabelAdmission] == "disabled"
	}
}

// content is a typed object as the API would show it.
func content(object client.Object, f facts) (*unstructured.Unstructured, error) {
	if p, ok := object.(*packed); ok {
		u := untyped(f.gvk)
		return u, p.into(u)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("convert %T: %w", object, err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(f.gvk)
	return u, nil
}
