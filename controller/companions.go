// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// notReady is how long a reconciliation waits for complete caches: reading all of them live would take longer.
const notReady = 200 * time.Millisecond

// companions brings the objects of each companion to what its enrolment asks for, and reports on it. One key is one app ID of one
// namespace, enrolled or not.
type companions struct {
	loader  *Loader
	writer  writer
	reports *reports
	metrics *metrics
	// readmit has routes looked at again that concern one of the references (route.references).
	readmit func(references []string)
	// again has companions looked at again.
	again func(refs ...mesh.AppRef)
	// rolls are the turns of running companions, departures what has no enrolment any more.
	rolls      *rolls
	departures *departures

	mu   sync.Mutex
	told map[mesh.AppRef]told
}

// occasion is one look at one app ID: what was loaded, what exists, and which objects claim the ID.
type occasion struct {
	loaded
	ref    mesh.AppRef
	exists observed
	claims []client.Object
}

// Reconcile brings one companion up to date.
func (c *companions) Reconcile(ctx context.Context, ref mesh.AppRef) (reconcile.Result, error) {
	result, err := c.reconcile(ctx, ref)
	// An event about pods asks for a look a little later (heardPods). The queue has a key once: whatever else asks for it meanwhile takes that
	// look's place, and may come before the pods are read again.
	if wait := c.loader.pods.pending(ref.Namespace); err == nil && wait > 0 && (result.RequeueAfter == 0 || wait < result.RequeueAfter) {
		result.RequeueAfter = wait
	}
	return result, err
}

func (c *companions) reconcile(ctx context.Context, ref mesh.AppRef) (reconcile.Result, error) {
	if !c.loader.ready() {
		return reconcile.Result{RequeueAfter: notReady}, nil
	}
	l, err := c.loader.namespace(ctx, ref.Namespace)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("load the view: %w", err)
	}
	if !slices.Contains(l.standing, ref.Namespace) {
		// The namespace is gone or going, and everything in it goes with it.
		c.forget(ref)
		return reconcile.Result{}, nil
	}
	c.metrics.trust(l.trust)
	o := occasion{loaded: l, ref: ref, claims: claimsOf(l.objects, ref)}
	if o.exists, err = c.observe(ctx, l.world.View, ref); err != nil {
		return reconcile.Result{}, err
	}
	t, ok, err := c.target(o)
	if err != nil {
		return reconcile.Result{}, err
	}
	if ok || len(o.claims) > 0 {
		c.departures.forget(ref)
	}
	if ok {
		return c.stay(ctx, o, t)
	}
	if len(o.claims) > 0 {
		c.metrics.observe(ref, []metav1.Condition{refusedCondition(nil)}, nil)
		return reconcile.Result{}, c.refuse(ctx, o, holder{})
	}
	c.rolls.forget(ref)
	return c.leave(ctx, o)
}

// forget drops what is kept of a companion whose namespace is gone.
func (c *companions) forget(ref mesh.AppRef) {
	c.metrics.forget(ref)
	c.rolls.forget(ref)
	c.departures.forget(ref)
	c.writer.taken.forget(ref.Namespace)
}

// target is the companion as it should be, and false if no enrolment asks for one.
func (c *companions) target(o occasion) (target, bool, error) {
	view, set := o.world.View, o.world.Set
	in := autoscaledAs(o.inputFor(view, o.ref), workloads(o.exists.ours))
	t := target{ref: o.ref, mode: view.Mode(o.ref.Namespace)}
	app, isApp := view.App(o.ref)
	ingress, isIngress := view.Ingress(o.ref)
	generate := view.PoliciesOf(o.ref.Namespace) == mesh.PoliciesGenerate
	var covering []*ciliumv2.CiliumNetworkPolicy
	switch {
	case isApp:
		app.Companion = mesh.CompanionState{}
		t.enrolled, t.holder, t.findings = app, holderOfApp(app), policy.App(view, set, app)
		if generate {
			covering = policy.CoveringApp(prospective(view, o.joining), app)
		}
	case isIngress:
		ingress.Companion = mesh.CompanionState{}
		t.enrolled, t.holder, t.findings = ingress, holderOf(ingress.Owner.Object), policy.Ingress(view, set, ingress)
		if generate {
			covering = policy.CoveringIngress(view, ingress)
		}
	default:
		return t, false, nil
	}
	if generate {
		covering = append(covering, policy.Openings(prospective(view, o.joining), set, o.ref)...)
	}
	for _, p := range covering {
		t.policies = append(t.policies, p)
	}
	t.obstacle, t.caveats = obstacleOf(o.loaded, t.enrolled), caveatsOf(o.loaded, t.enrolled)
	t.objects = objectsOf(rendered(t.enrolled, in))
	if isIngress {
		t.objects = append(t.objects, grantsOfIngress(prospective(view, o.joining), ingress)...)
	}
	var err error
	if t.state, err = c.loader.states.of(o.ref, t.enrolled, in, workloads(o.exists.ours)); err != nil {
		return t, true, fmt.Errorf("state of the companion of %s: %w", o.ref, err)
	}
	return t, true, nil
}

// stay applies an enrolled companion and reports on it.
func (c *companions) stay(ctx context.Context, o occasion, t target) (reconcile.Result, error) {
	p := planStay(t, o.exists)
	var wait time.Duration
	if p.rolling(o.exists) {
		if wait = c.rolls.turn(t.ref); wait > 0 {
			p = p.withoutRoll()
		}
	} else {
		c.rolls.done(t.ref)
	}
	foreign, err := c.writer.apply(ctx, p.waves, o.exists)
	if len(foreign) > 0 {
		o.exists.foreign = foreign
		p = planStay(t, o.exists)
	}
	p.refused = refusalIn(err)
	if err == nil {
		err = c.writer.remove(ctx, p.remove)
	}
	conditions := []metav1.Condition{companionCondition(t, o.exists, p), coveredCondition(t.findings)}
	if app, ok := t.enrolled.(mesh.App); ok {
		conditions = append(conditions, meshedCondition(o.world.View, o.joining, app))
	}
	reported, reportErr := c.reports.set(ctx, t.ref, t.holder, conditions)
	c.metrics.observe(t.ref, reported, t.findings)
	c.readmitIfNew(t, peersOf(prospective(o.world.View, o.joining), t.ref))
	return reconcile.Result{RequeueAfter: wait}, errors.Join(err, reportErr, c.refuse(ctx, o, t.holder))
}

// refuse reports on the objects that claim an app ID, are denied, and are not the one that has it. What runs is left as it is.
func (c *companions) refuse(ctx context.Context, o occasion, has holder) error {
	var errs []error
	for _, claim := range o.claims {
		h := holderOfClaim(claim)
		findings := findingsOn(o.findings, h)
		if h == has || len(findings) == 0 {
			continue
		}
		_, err := c.reports.set(ctx, o.ref, h, []metav1.Condition{refusedCondition(findings)})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// observe reads what exists under an app ID.
func (c *companions) observe(ctx context.Context, view *mesh.View, ref mesh.AppRef) (observed, error) {
	var o observed
	s := scope{namespace: ref.Namespace, index: byInstance(), key: ref.ID}
	for _, k := range append(ownedKinds(), kindCiliumPolicy) {
		objects, served, err := list[client.Object](ctx, c.loader.door, k, s)
		if err != nil {
			return o, err
		}
		if !served {
			o.unserved = append(o.unserved, c.loader.door.kinds[k].gvk.GroupKind())
		}
		for _, object := range objects {
			if isOurs(object, ref.ID) {
				o.ours = append(o.ours, withKind(object, c.loader.door.kinds[k]))
			}
		}
	}
	o.routed = slices.ContainsFunc(view.Routes, func(r mesh.RouteTarget) bool { return r.App == ref || r.Ingress == ref })
	rest := slices.ContainsFunc(o.ours, func(object client.Object) bool { return !isPolicy(object) })
	if len(o.ours) == 0 || rest {
		return o, nil
	}
	var err error
	o.pods, err = c.loader.hasPods(ctx, ref)
	return o, err
}

// withKind is an object that says its kind: typed objects in caches do not.
func withKind(object client.Object, f facts) client.Object {
	if object.GetObjectKind().GroupVersionKind() == f.gvk {
		return object
	}
	named, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return object // cannot be: the copy of a client.Object is one
	}
	named.GetObjectKind().SetGroupVersionKind(f.gvk)
	return named
}

// hasPods says whether a companion's pod exists, read live: no cache holds pods.
func (l *Loader) hasPods(ctx context.Context, ref mesh.AppRef) (bool, error) {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err := l.door.live.List(ctx, pods, client.InNamespace(ref.Namespace), client.MatchingLabels{mesh.LabelCompanion: ref.ID}, client.Limit(1))
	if err != nil {
		return false, fmt.Errorf("look for pods of %s: %w", ref, err)
	}
	return len(pods.Items) > 0, nil
}

// claimsOf are the enrolled objects that carry an app ID's label, whether their enrolment stands or not.
func claimsOf(objects mesh.Objects, ref mesh.AppRef) []client.Object {
	var claims []client.Object
	add := func(object client.Object) {
		if object.GetNamespace() == ref.Namespace && object.GetLabels()[mesh.LabelAppID] == ref.ID && object.GetAnnotations()[mesh.AnnotationEnabled] == "true" {
			claims = append(claims, object)
		}
	}
	for _, s := range objects.Services {
		add(s)
	}
	for _, d := range objects.Deployments {
		add(d)
	}
	for _, g := range objects.Gateways {
		add(g)
	}
	return claims
}
