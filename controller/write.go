// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// writer writes companions' objects. It never writes to an object that daprise did not make.
type writer struct {
	client client.Client
	// live reads the API server, for objects that no cache of ours would show.
	live client.Reader
	log  logr.Logger
	// taken are names that were found to be somebody else's.
	taken *taken
}

// apply applies waves, each after the one before. Where an object of a wanted name is not ours, it is returned, nothing is written to
// it, and later waves are not begun.
func (w writer) apply(ctx context.Context, waves [][]client.Object, o observed) (foreign []mesh.Object, err error) {
	for _, wave := range waves {
		results := make([]error, len(wave))
		var group sync.WaitGroup
		for i, object := range wave {
			group.Go(func() { results[i] = w.applyOne(ctx, object, find(o.ours, object)) })
		}
		group.Wait()
		var errs []error
		for i, result := range results {
			if errors.Is(result, errForeign) {
				foreign = append(foreign, nameOf(wave[i]))
				continue
			}
			errs = append(errs, result)
		}
		if err := errors.Join(errs...); err != nil || len(foreign) > 0 {
			return foreign, err
		}
	}
	return nil, nil
}

// applyOne applies one object over its stored state, nil where the caches know of none.
func (w writer) applyOne(ctx context.Context, wanted, stored client.Object) error {
	content, err := companion.Content(wanted)
	if err != nil {
		return err
	}
	if stored == nil && !w.taken.is(nameOf(wanted)) {
		if err := w.create(ctx, content); !apierrors.IsConflict(err) {
			return err
		}
	}
	if stored == nil {
		if stored, err = w.lookup(ctx, wanted); err != nil {
			return err
		}
	}
	var options []client.ApplyOption
	if stored != nil {
		// The UID makes the write fail if another object has taken the name since.
		content.SetUID(stored.GetUID())
		options = append(options, client.ForceOwnership)
	}
	// A conflict without ownership forced: somebody else made it in this moment, and the next attempt sees whose it is.
	return w.send(ctx, content, options...)
}

// noVersion is one that no object has: storage counts from it, so that what is written first has a later one (etcd: "a cluster's revision
// begins at 1").
const noVersion = "1"

// create applies an object that the caches do not hold. It costs one request and writes to nothing that exists: for the API server, a
// version is one to update from, so that any object of the name is a conflict, and where there is none the object is made
// (k8s.io/apiserver pkg/registry/generic/registry, Store.Update). Unlike one of a create request, its fields are those that daprise
// applied, and those that it applies no more will go. An API server that took it for a conflict though there is nothing would
// cost a request more.
func (w writer) create(ctx context.Context, content *unstructured.Unstructured) error {
	fresh := content.DeepCopy()
	fresh.SetResourceVersion(noVersion)
	return w.send(ctx, fresh)
}

func (w writer) send(ctx context.Context, content *unstructured.Unstructured, options ...client.ApplyOption) error {
	name := nameOf(content)
	err := w.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(content), append(options, client.FieldOwner(mesh.FieldManager))...)
	if err != nil {
		return fmt.Errorf("apply %s: %w", name, err)
	}
	w.log.V(1).Info("applied", "object", name.String())
	return nil
}

// lookup reads the metadata of an object that the caches do not hold: nil if there is none, errForeign if it is not ours.
func (w writer) lookup(ctx context.Context, wanted client.Object) (client.Object, error) {
	stored := &metav1.PartialObjectMetadata{}
	stored.SetGroupVersionKind(wanted.GetObjectKind().GroupVersionKind())
	err := w.live.Get(ctx, client.ObjectKeyFromObject(wanted), stored)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("look for %s: %w", nameOf(wanted), err)
	}
	found := err == nil
	foreign := found && !isOurs(stored, wanted.GetLabels()[mesh.LabelInstance])
	if foreign {
		w.taken.note(nameOf(wanted))
	} else {
		w.taken.free(nameOf(wanted))
	}
	switch {
	case !found:
		return nil, nil
	case foreign:
		return nil, errForeign
	default:
		return stored, nil
	}
}

// isOurs says that daprise made an object for an app ID: it carries both labels, and no controller but an object that can be enrolled.
func isOurs(object metav1.Object, id string) bool {
	labels := object.GetLabels()
	if labels[mesh.LabelManagedBy] != mesh.ManagedByDaprise || labels[mesh.LabelInstance] != id {
		return false
	}
	owner := metav1.GetControllerOf(object)
	if owner == nil {
		return true
	}
	switch kind(owner.Kind) {
	case kindService, kindDeployment, kindGateway:
		return true
	default:
		return false
	}
}

// remove deletes objects of ours, each only if it is still the same object.
func (w writer) remove(ctx context.Context, objects []client.Object) error {
	var errs []error
	for _, object := range objects {
		uid := object.GetUID()
		err := w.client.Delete(ctx, byName(object), client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete %s: %w", nameOf(object), err))
		}
	}
	return errors.Join(errs...)
}

// byName is an object as clients take it to delete it: a packed one by its metadata.
func byName(object client.Object) client.Object {
	if _, ok := object.(*packed); !ok {
		return object
	}
	only := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}}
	only.SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
	return only
}

func nameOf(object client.Object) mesh.Object {
	apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	return mesh.Object{APIVersion: apiVersion, Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}
