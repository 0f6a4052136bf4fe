// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
)

const (
	// pollPods is how often the end of a leaving companion's pods is looked for: no cache holds pods.
	pollPods = 2 * time.Second
	// leavesAfter is how long an enrolment has to be gone before its companion leaves. Whoever moves one from a Service to its Deployment
	// takes it off here and puts it on there, in two writes of one command.
	leavesAfter = 3 * time.Second
)

// departures remembers since when companions have had no enrolment.
type departures struct {
	now func() time.Time

	mu    sync.Mutex
	since map[mesh.AppRef]time.Time
}

func newDepartures() *departures {
	return &departures{now: time.Now, since: map[mesh.AppRef]time.Time{}}
}

// wait is how long a companion without an enrolment stays yet.
func (d *departures) wait(ref mesh.AppRef) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, known := d.since[ref]
	if !known {
		since = d.now()
		d.since[ref] = since
	}
	return leavesAfter - d.now().Sub(since)
}

func (d *departures) forget(ref mesh.AppRef) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.since, ref)
}

// leave removes a companion without an enrolment, in the order that keeps it isolated, its routes served and its app's Dapr API there.
func (c *companions) leave(ctx context.Context, o occasion) (reconcile.Result, error) {
	if len(o.exists.ours) > 0 {
		if wait := c.departures.wait(o.ref); wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
	}
	c.readmitGone(o.ref)
	holders := c.reports.holders(o.ref, o.exists.ours)
	if len(o.exists.ours) == 0 {
		c.metrics.forget(o.ref)
		c.departures.forget(o.ref)
		return reconcile.Result{}, c.reports.clear(ctx, o.ref, holders)
	}
	o.exists.successor = successorOf(o)
	p := planLeave(o.exists)
	if err := c.writer.remove(ctx, p.remove); err != nil {
		return reconcile.Result{}, err
	}
	conditions := []metav1.Condition{leavingCondition(p)}
	c.metrics.observe(o.ref, conditions, nil)
	var errs []error
	for _, h := range holders {
		if h.kind == string(kindService) && p.leaving != "" && !holds(o.world.View, h) {
			_, err := c.reports.set(ctx, o.ref, h, conditions)
			errs = append(errs, err)
		}
	}
	return reconcile.Result{RequeueAfter: pollPods}, errors.Join(errs...)
}

// holds says that a Service carries the conditions of an enrolment, be it under another app ID.
func holds(view *mesh.View, h holder) bool {
	return slices.ContainsFunc(view.Apps, func(a mesh.App) bool { return holderOfApp(a) == h })
}

// successorOf is the companion that an enrolled object has under another app ID than before, as long as that one is not ready: what is
// to be renamed serves until then. It is empty where nothing is to be waited for.
func successorOf(o occasion) string {
	for _, object := range o.exists.ours {
		owner := metav1.GetControllerOf(object)
		if owner == nil {
			continue
		}
		for _, app := range o.world.View.Apps {
			if app.Owner.UID == owner.UID && !app.Companion.Ready {
				return fmt.Sprintf("companion %q, which takes its place, is not ready", app.ID)
			}
		}
		for _, ingress := range o.world.View.Ingresses {
			if ingress.Owner.UID == owner.UID && !ingress.Companion.Ready {
				return fmt.Sprintf("companion %q, which takes its place, is not ready", ingress.ID)
			}
		}
	}
	return ""
}
