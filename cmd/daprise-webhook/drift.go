// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// repairer writes the webhook configurations back where somebody edited them: a hook that fails open or is asked about less would be a
// hole that nobody sees. It runs on the leader, so that two versions of daprise do not write in turns for longer than an upgrade takes.
// A configuration that was deleted stays deleted: that is how daprise is removed, and the proof tells where it was not meant.
//
// It looks at what the API server itself says, upon every event and every lookAgain: a watch can die without a word.
type repairer struct {
	client client.Client
	live   client.Reader
	exempt []string
	// mends says that it may write. With a certificate from elsewhere it may not, and tells what was edited.
	mends bool
	// told are the versions of configurations of which it has told, by kind.
	told map[string]string
	log  *slog.Logger
}

const lookAgain = 30 * time.Second

func (r *repairer) setup(mgr ctrl.Manager) error {
	if err := aboutConfigurations(mgr, "hooks").WithOptions(controller.Options{RateLimiter: soon()}).Complete(r); err != nil {
		return fmt.Errorf("set up the repair of webhook configurations: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *repairer) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	wantMutating, wantValidating := hooks.Configurations(hooks.Options{ExemptNamespaces: r.exempt})
	err := errors.Join(r.repairMutating(ctx, wantMutating), r.repairValidating(ctx, wantValidating))
	switch {
	case apierrors.IsConflict(err):
		// Somebody wrote in between.
		return reconcile.Result{RequeueAfter: firstRetry}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: lookAgain}, nil
}

func (r *repairer) repairMutating(ctx context.Context, want *admissionregistrationv1.MutatingWebhookConfiguration) error {
	var list admissionregistrationv1.MutatingWebhookConfigurationList
	if err := r.read(ctx, &list); err != nil {
		return err
	}
	for i := range list.Items {
		repaired, drifted := hooks.RepairMutating(&list.Items[i], want)
		if err := r.write(ctx, &list.Items[i], repaired, drifted); err != nil {
			return err
		}
	}
	return nil
}

func (r *repairer) repairValidating(ctx context.Context, want *admissionregistrationv1.ValidatingWebhookConfiguration) error {
	var list admissionregistrationv1.ValidatingWebhookConfigurationList
	if err := r.read(ctx, &list); err != nil {
		return err
	}
	for i := range list.Items {
		repaired, drifted := hooks.RepairValidating(&list.Items[i], want)
		if err := r.write(ctx, &list.Items[i], repaired, drifted); err != nil {
			return err
		}
	}
	return nil
}

// read lists the configuration of our name, or none: by a field selector, since daprise may list it under that name alone, and not get it.
func (r *repairer) read(ctx context.Context, list client.ObjectList) error {
	if err := r.live.List(ctx, list, client.MatchingFields{"metadata.name": hooks.Name}); err != nil {
		return fmt.Errorf("read the webhook configuration: %w", err)
	}
	return nil
}

// write writes a repaired configuration, unless somebody changed it meanwhile.
func (r *repairer) write(ctx context.Context, live, repaired client.Object, drifted []string) error {
	if len(drifted) == 0 {
		return nil
	}
	if !r.mends {
		r.tell(live, drifted)
		return nil
	}
	patch := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, repaired, patch, client.FieldOwner(mesh.FieldManager)); err != nil {
		return fmt.Errorf("write the webhook configuration back: %w", err)
	}
	r.log.Warn("webhook configuration was edited: written back", "kind", fmt.Sprintf("%T", live), "webhooks", drifted)
	return nil
}

// tell logs each edit once.
func (r *repairer) tell(live client.Object, drifted []string) {
	kind := fmt.Sprintf("%T", live)
	if r.told[kind] == live.GetResourceVersion() {
		return
	}
	r.told[kind] = live.GetResourceVersion()
	r.log.Warn("webhook configuration was edited: apply daprise's manifests again", "kind", kind, "webhooks", drifted)
}
