// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/webhook/hooks"
)

// TestBundlerErrors: a conflict is the other replica's write, of which an event will tell, and nothing to complain of; what fails is
// tried again with backoff and not at a time of ours too.
func TestBundlerErrors(t *testing.T) {
	unreachable := errors.New("unreachable")
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "admissionregistration.k8s.io", Resource: "validatingwebhookconfigurations"}, hooks.Name, errors.New("modified"))
	tests := []struct {
		name   string
		answer map[string]error
		want   reconcile.Result
		err    error
	}{
		{"written", nil, reconcile.Result{RequeueAfter: overlap}, nil},
		{"the mutating one conflicts", map[string]error{"mutating": conflict}, reconcile.Result{RequeueAfter: overlap}, nil},
		{"both conflict", map[string]error{"mutating": conflict, "validating": conflict}, reconcile.Result{RequeueAfter: overlap}, nil},
		{"the mutating one fails", map[string]error{"mutating": unreachable}, reconcile.Result{}, unreachable},
		{"the validating one fails", map[string]error{"validating": unreachable}, reconcile.Result{}, unreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &bundler{client: bundling(t, tt.answer), namespace: "daprise-system", now: start2026}
			got, err := b.Reconcile(t.Context(), reconcile.Request{})
			if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("got %+v, error %v; want %+v, error %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// bundling is an API server with a CA and both configurations, in which patches are answered with errors.
func bundling(t *testing.T, answer map[string]error) client.Client {
	t.Helper()
	ca := newCA(t, caCommonName, start2026().Add(-time.Minute))
	none := admissionregistrationv1.SideEffectClassNone
	return fake.NewClientBuilder().WithObjects(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "daprise-system", Name: caSecret}, Data: map[string][]byte{caKey: encode(ca.certificate)}},
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: hooks.Name},
			Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "a.daprise.dev", SideEffects: &none}},
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: hooks.Name},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "b.daprise.dev", SideEffects: &none}},
		},
	).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			kind := "validating"
			if _, ok := object.(*admissionregistrationv1.MutatingWebhookConfiguration); ok {
				kind = "mutating"
			}
			if err := answer[kind]; err != nil {
				return err
			}
			return c.Patch(ctx, object, patch, options...)
		},
	}).Build()
}
