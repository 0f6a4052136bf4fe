// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/mesh"
)

// asked are the requests of a writer.
type asked struct {
	mu       sync.Mutex
	requests []string
}

func (a *asked) of(verb, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, verb+" "+name)
}

// take are the requests since the last time, sorted: a wave's objects are applied at the same time.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.requests
	a.requests = nil
	slices.Sort(all)
	return all
}

// writing is a writer over a few stored objects. Where a version is applied that an object does not have, and to a name that strict has
// though there is nothing, the answer is a conflict.
func writing(t *testing.T, strict string, stored ...client.Object) (writer, client.Client, *asked) {
	t.Helper()
	a := &asked{}
	conflict := func(name string) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "services"}, name, errors.New("the object has been modified"))
	}
	c := builder(t, stored...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			a.of("get", key.Name)
			return c.Get(ctx, key, obj, options...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
			object, ok := obj.(metav1.Object)
			if !ok {
				return fmt.Errorf("%T is no object", obj)
			}
			name := object.GetName()
			if object.GetResourceVersion() == "" {
				a.of("apply", name)
				return nil
			}
			a.of("create", name)
			found := &metav1.PartialObjectMetadata{}
			found.SetGroupVersionKind(obj.(runtime.Object).GetObjectKind().GroupVersionKind())
			err := c.Get(ctx, client.ObjectKey{Namespace: object.GetNamespace(), Name: name}, found)
			if err == nil || name == strict {
				return conflict(name)
			}
			return client.IgnoreNotFound(err)
		},
	}).Build()
	return writer{client: c, live: c, log: logr.Discard(), taken: newTaken()}, c, a
}

func wantedService() *corev1.Service {
	s := service("default", "whoami-dapr")
	s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
	s.Labels = mesh.ObjectLabels("whoami", mesh.ComponentApp)
	return s
}

func TestWriterCreatesWithoutLooking(t *testing.T) {
	w, _, a := writing(t, "")
	if foreign, err := w.apply(t.Context(), planStay(wanting(), observed{}).waves, observed{}); err != nil || len(foreign) > 0 {
		t.Fatalf("foreign %v, error %v", foreign, err)
	}
	want := []string{"create whoami-dapr", "create whoami-dapr", "create whoami-dapr", "create whoami-dapr", "create whoami-dapr", "create whoami-dapr-api"}
	if diff := cmp.Diff(want, a.take()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestWriterNeverTouchesForeignObjects(t *testing.T) {
	w, c, a := writing(t, "", service("default", "whoami-dapr"))
	waves := planStay(wanting(), observed{}).waves
	apply := func() {
		t.Helper()
		got, err := w.apply(t.Context(), waves, observed{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]mesh.Object{{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami-dapr"}}, got); diff != "" {
			t.Errorf("foreign (-want +got):\n%s", diff)
		}
	}
	apply()
	// The other objects of the same wave are applied, the wave of the workload is not begun.
	others := []string{"create whoami-dapr", "create whoami-dapr", "create whoami-dapr", "create whoami-dapr-api"}
	if diff := cmp.Diff(append([]string{"create whoami-dapr"}, append(others, "get whoami-dapr")...), a.take()); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	apply()
	if diff := cmp.Diff(append(others, "get whoami-dapr"), a.take()); diff != "" {
		t.Errorf("again, no request that could write to it (-want +got):\n%s", diff)
	}
	if err := c.Delete(t.Context(), service("default", "whoami-dapr")); err != nil {
		t.Fatal(err)
	}
	if got, err := w.apply(t.Context(), waves[:2], observed{}); err != nil || len(got) > 0 {
		t.Errorf("after it is gone: foreign %v, error %v", got, err)
	}
	if w.taken.is(mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami-dapr"}) {
		t.Error("the name still counts as somebody else's")
	}
}

func TestWriterAppliesOverWhatTheCachesDoNotShowYet(t *testing.T) {
	w, _, a := writing(t, "", wantedService())
	if err := w.applyOne(t.Context(), wantedService(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"apply whoami-dapr", "create whoami-dapr", "get whoami-dapr"}, a.take()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestWriterCreatesAlsoWhereAVersionIsAConflict: where the API server insists on a version, one request more makes the object.
func TestWriterCreatesAlsoWhereAVersionIsAConflict(t *testing.T) {
	w, _, a := writing(t, "whoami-dapr")
	if err := w.applyOne(t.Context(), wantedService(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"apply whoami-dapr", "create whoami-dapr", "get whoami-dapr"}, a.take()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestNamesThatAreTaken(t *testing.T) {
	name := mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "whoami-dapr"}
	k := newTaken()
	k.note(name)
	k.forget("default")
	if !k.is(name) {
		t.Error("forgotten with another namespace")
	}
	k.forget("shop")
	if k.is(name) {
		t.Error("not forgotten with its namespace")
	}
}
