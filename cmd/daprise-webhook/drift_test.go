// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/webhook/hooks"
)

// TestRepairer: what was edited is written back by what the API server itself says, and looked at again without an event: soon after
// somebody else's write, at lookAgain otherwise, and with backoff after an error. What was deleted stays deleted.
func TestRepairer(t *testing.T) {
	unreachable := errors.New("unreachable")
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"}, hooks.Name, errors.New("modified"))
	tests := []struct {
		name   string
		edit   func(*admissionregistrationv1.MutatingWebhookConfiguration)
		answer error
		want   reconcile.Result
		err    error
		writes int
	}{
		{"as installed", func(*admissionregistrationv1.MutatingWebhookConfiguration) {}, nil, reconcile.Result{RequeueAfter: lookAgain}, nil, 0},
		{"edited", failOpen, nil, reconcile.Result{RequeueAfter: lookAgain}, nil, 1},
		{"edited by two", failOpen, conflict, reconcile.Result{RequeueAfter: firstRetry}, nil, 1},
		{"edited, and the API server does not answer", failOpen, unreachable, reconcile.Result{}, unreachable, 1},
		{"another name", func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
			failOpen(c)
			c.Name = "somebody-elses"
		}, nil, reconcile.Result{RequeueAfter: lookAgain}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mutating, validating := hooks.Configurations(hooks.Options{})
			tt.edit(mutating)
			writes := 0
			api := named(fake.NewClientBuilder()).WithObjects(mutating, validating).WithInterceptorFuncs(interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
					writes++
					if tt.answer != nil {
						return tt.answer
					}
					return c.Patch(ctx, object, patch, options...)
				},
			}).Build()
			// Nothing is read by the client that may answer from a cache.
			r := &repairer{client: writing{Client: api}, live: api, mends: true, log: slog.New(slog.DiscardHandler)}
			got, err := r.Reconcile(t.Context(), reconcile.Request{})
			if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || writes != tt.writes {
				t.Errorf("got %+v, error %v, %d writes; want %+v, error %v, %d", got, err, writes, tt.want, tt.err, tt.writes)
			}
			if tt.err == nil && tt.answer == nil && mutating.Name == hooks.Name {
				live := &admissionregistrationv1.MutatingWebhookConfiguration{}
				if err := api.Get(t.Context(), client.ObjectKey{Name: hooks.Name}, live); err != nil || *live.Webhooks[0].FailurePolicy != admissionregistrationv1.Fail {
					t.Errorf("failurePolicy is %v, %v", *live.Webhooks[0].FailurePolicy, err)
				}
			}
		})
	}
}

// TestRepairerTells: where daprise may not write, each edit is told once, and nothing is written.
func TestRepairerTells(t *testing.T) {
	mutating, validating := hooks.Configurations(hooks.Options{})
	failOpen(mutating)
	api := named(fake.NewClientBuilder()).WithObjects(mutating, validating).Build()
	var log bytes.Buffer
	// Without a client to write with, a write would panic.
	r := &repairer{live: api, told: map[string]string{}, log: slog.New(slog.NewJSONHandler(&log, nil))}
	look := func() int {
		t.Helper()
		if got, err := r.Reconcile(t.Context(), reconcile.Request{}); err != nil || got.RequeueAfter != lookAgain {
			t.Fatalf("%+v, %v", got, err)
		}
		return strings.Count(log.String(), `"webhooks":["enrolment.mutate.daprise.dev"]`)
	}
	if told := []int{look(), look()}; told[0] != 1 || told[1] != 1 {
		t.Errorf("told %v times", told)
	}
	if err := api.Get(t.Context(), client.ObjectKey{Name: hooks.Name}, mutating); err != nil {
		t.Fatal(err)
	}
	mutating.Labels = map[string]string{"edited": "again"}
	if err := api.Update(t.Context(), mutating); err != nil {
		t.Fatal(err)
	}
	if told := look(); told != 2 {
		t.Errorf("told %d times of two edits", told)
	}
}

func failOpen(c *admissionregistrationv1.MutatingWebhookConfiguration) {
	c.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore)
}

// named has a fake API server select by name, as a real one does.
func named(builder *fake.ClientBuilder) *fake.ClientBuilder {
	name := func(object client.Object) []string { return []string{object.GetName()} }
	return builder.
		WithIndex(&admissionregistrationv1.MutatingWebhookConfiguration{}, "metadata.name", name).
		WithIndex(&admissionregistrationv1.ValidatingWebhookConfiguration{}, "metadata.name", name)
}

// writing is a client that can read nothing.
type writing struct{ client.Client }

var errCached = errors.New("read from the cache")

func (writing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errCached
}

func (writing) List(context.Context, client.ObjectList, ...client.ListOption) error { return errCached }
