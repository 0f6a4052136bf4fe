// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
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

// TestBundlerKeepsTheOrder: writing the caBundle changes nothing else, neither which webhook comes first nor how the others do.
func TestBundlerKeepsTheOrder(t *testing.T) {
	ca := encode(newCA(t, caCommonName, start2026().Add(-time.Minute)).certificate)
	_, live := hooks.Configurations(hooks.Options{})
	names := func(c *admissionregistrationv1.ValidatingWebhookConfiguration) []string {
		var all []string
		for _, w := range c.Webhooks {
			all = append(all, w.Name)
		}
		return all
	}
	for trusted := range len(live.Webhooks) {
		before := live.DeepCopy()
		for i := range trusted {
			before.Webhooks[i].ClientConfig.CABundle = ca
		}
		after := patched(t, before, bundlePatch("1", validatingClients(before), ca, start2026()))
		if diff := cmp.Diff(names(before), names(after)); diff != "" {
			t.Errorf("with %d of them written (-before +after):\n%s", trusted, diff)
		}
		for _, w := range after.Webhooks {
			if !bytes.Equal(w.ClientConfig.CABundle, ca) {
				t.Errorf("with %d of them written: %s has %q", trusted, w.Name, w.ClientConfig.CABundle)
			}
		}
	}
}

// patched is what the API server makes of a strategic merge patch.
func patched(t *testing.T, before *admissionregistrationv1.ValidatingWebhookConfiguration, patch any) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	original, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(original, data, before)
	if err != nil {
		t.Fatal(err)
	}
	after := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := json.Unmarshal(merged, after); err != nil {
		t.Fatal(err)
	}
	return after
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
