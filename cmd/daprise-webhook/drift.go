// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// repairer writes the webhook configurations back where somebody edited them: a hook that fails open or is asked about less would be a
// hole that nobody sees. It runs on the leader, so that two versions of daprise do not write in turns for longer than an upgrade takes.
// A configuration that was deleted stays deleted: that is how daprise is removed, and the proof tells where it was not meant.
type repairer struct {
	client client.Client
	exempt []string
	log    *slog.Logger
}

func (r *repairer) setup(mgr ctrl.Manager) error {
	if err := aboutConfigurations(mgr, "hooks").Complete(r); err != nil {
		return fmt.Errorf("set up the repair of webhook configurations: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *repairer) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	wantMutating, wantValidating := hooks.Configurations(hooks.Options{ExemptNamespaces: r.exempt})
	live := configurations{reader: r.client}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	if err := live.get(ctx, &mutating); err != nil {
		return reconcile.Result{}, err
	}
	repairedMutating, drifted := hooks.RepairMutating(&mutating, wantMutating)
	if err := r.write(ctx, &mutating, repairedMutating, drifted); err != nil {
		return reconcile.Result{}, err
	}
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	if err := live.get(ctx, &validating); err != nil {
		return reconcile.Result{}, err
	}
	repairedValidating, drifted := hooks.RepairValidating(&validating, wantValidating)
	return reconcile.Result{}, r.write(ctx, &validating, repairedValidating, drifted)
}

// write writes a repaired configuration, unless it does not exist or somebody changed it meanwhile: the event of that comes back here.
func (r *repairer) write(ctx context.Context, live, repaired client.Object, drifted []string) error {
	if len(drifted) == 0 || live.GetResourceVersion() == "" {
		return nil
	}
	r.log.Warn("webhook configuration was edited: written back", "kind", fmt.Sprintf("%T", live), "webhooks", drifted)
	patch := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	err := r.client.Patch(ctx, repaired, patch, client.FieldOwner(mesh.FieldManager))
	if err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("write the webhook configuration back: %w", err)
	}
	return nil
}
