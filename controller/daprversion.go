// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

const (
	// daprOperator is the Deployment and the container of Dapr's operator (dapr charts/dapr/charts/dapr_operator).
	daprOperator = "dapr-operator"
	// daprVersionFor is how long the version of Dapr's control plane is believed: no cache holds its Deployments.
	daprVersionFor = time.Minute
)

// daprRead keeps the version of Dapr's control plane for a while.
type daprRead struct {
	mu    sync.Mutex
	known string
	at    time.Time
	now   func() time.Time
}

func newDaprRead() *daprRead { return &daprRead{now: time.Now} }

// version is that of the image that Dapr's operator runs, or empty where there is no such Deployment: Dapr may be installed in another
// way. What cannot be read is unknown, or as it was: nothing is decided by it but what people are told.
func (r *daprRead) version(ctx context.Context, d door, namespace string) string {
	r.mu.Lock()
	now := r.now()
	known, due := r.known, r.at.IsZero() || now.Sub(r.at) >= daprVersionFor
	if due {
		r.at = now
	}
	r.mu.Unlock()
	if !due {
		return known
	}
	operator := &appsv1.Deployment{}
	if err := d.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: daprOperator}, operator); client.IgnoreNotFound(err) != nil {
		return known
	}
	known = versionOfContainer(operator.Spec.Template.Spec.Containers, daprOperator)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = known
	return known
}

// daprCaveat (DPR402) tells of a control plane of another minor version than companions have. About what it is said is the caller's to
// add.
func daprCaveat(running string, config mesh.DaprConfig) []mesh.Finding {
	if running == "" || minor(running) == minor(config.Version) {
		return nil
	}
	return []mesh.Finding{{
		Code: mesh.CodeDaprVersion, Severity: mesh.Warn,
		Message: fmt.Sprintf("Dapr's control plane runs %s, and companions are made for %s", running, config.Version),
		Fix:     "Set dapr.version and dapr.images in daprise's config file to the control plane's version, if docs/support.md names it.",
	}}
}

// minor is "1.18" of "1.18.2".
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}
