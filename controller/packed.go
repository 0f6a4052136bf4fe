// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// packed is a cached object in little memory: what finds it and tells it apart as it is, what decisions read of it all the time derived, and
// the rest, which few read, as the difference of its JSON from that of another object of its kind. It is shared and never modified.
type packed struct {
	form                *form
	head                *head
	name                string
	uid                 uid
	version             version64
	generation          int64
	deleted, autoscaled bool
	sample              *sample
	data                string
	// derived is what was derived from it, of one type for each kind.
	derived atomic.Value
	// like is a digest of the rendered object that it was last found to be up to date with.
	like atomic.Pointer[digest]
}

// form is how the objects of one kind are packed. One goroutine packs at a time.
type form struct {
	gvk schema.GroupVersionKind
	// raw says that objects are read untyped, so that nothing is lost between.
	raw bool
	// object is what unpacking gives.
	object client.Object
	// slim takes out of an object what nobody reads.
	slim func(client.Object)
	// derive derives what is read all the time, or is nil. What it returns holds nothing of the object that is large.
	derive  func(client.Object) any
	heads   *heads
	samples samples
}

// pack packs what an API server tells of, which it modifies, as transforms of a cache do. What is packed stays so.
func (f *form) pack(in any) (any, error) {
	object, ok := in.(client.Object)
	if _, done := in.(*packed); done || !ok {
		return in, nil
	}
	p := &packed{
		form: f, head: f.heads.of(object), name: object.GetName(), uid: uidOf(object.GetUID()), version: versionOf(object.GetResourceVersion()),
		generation: object.GetGeneration(), deleted: object.GetDeletionTimestamp() != nil,
		autoscaled: autoscaledAs(companion.Input{}, []client.Object{object}).Autoscaled,
	}
	if f.derive != nil {
		p.derived.Store(f.derive(object))
	}
	f.slim(object)
	p.takeHead(object)
	object.GetObjectKind().SetGroupVersionKind(f.gvk)
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("pack %s %s/%s: %w", f.gvk.Kind, p.head.namespace, p.name, err)
	}
	p.data, p.sample = f.samples.delta(string(text))
	return p, nil
}

// takeHead takes out of an object what the packed one has beside its data, and what nobody reads of its metadata.
func (p *packed) takeHead(object client.Object) {
	object.SetNamespace("")
	object.SetName("")
	object.SetGenerateName("")
	if p.uid != (uid{}) {
		object.SetUID("")
	}
	if p.version != 0 {
		object.SetResourceVersion("")
	}
	object.SetGeneration(0)
	object.SetSelfLink("")
	object.SetCreationTimestamp(metav1.Time{})
	object.SetLabels(nil)
	object.SetOwnerReferences(nil)
}

// whole is the object as it was before it was packed, but for what nobody reads. It is the caller's own, except for its labels.
func (p *packed) whole() (client.Object, error) {
	object, ok := p.form.object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", p.form.object) // cannot be: the copy of a client.Object is one
	}
	return object, p.into(object)
}

// into unpacks into an object, or as far as it goes into another struct for the same JSON.
func (p *packed) into(object client.Object) error {
	text, err := p.sample.apply(p.data)
	if err == nil {
		err = json.Unmarshal(text, object)
	}
	if err != nil {
		return fmt.Errorf("unpack %s %s/%s: %w", p.form.gvk.Kind, p.head.namespace, p.name, err)
	}
	object.GetObjectKind().SetGroupVersionKind(p.form.gvk)
	object.SetNamespace(p.head.namespace)
	object.SetName(p.name)
	if p.uid != (uid{}) {
		object.SetUID(p.uid.of())
	}
	if p.version != 0 {
		object.SetResourceVersion(p.version.of())
	}
	object.SetGeneration(p.generation)
	object.SetLabels(p.head.labels)
	object.SetOwnerReferences(p.head.owners)
	return nil
}

// wholeOf is an object of a type, unpacked if need be.
func wholeOf[T client.Object](object client.Object) (T, error) {
	p, isPacked := object.(*packed)
	if _, asked := object.(T); isPacked && !asked {
		var err error
		if object, err = p.whole(); err != nil {
			var none T
			return none, err
		}
	}
	typed, ok := object.(T)
	if !ok {
		return typed, fmt.Errorf("%T is no %T", object, typed)
	}
	return typed, nil
}

// wholes are packed objects as a type, unpacked if need be.
func wholes[T client.Object](objects []*packed) ([]T, error) {
	all := make([]T, 0, len(objects))
	for _, p := range objects {
		object, err := wholeOf[T](p)
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

// unpacked are objects of which all can be read.
func unpacked(objects []client.Object) ([]client.Object, error) {
	all := make([]client.Object, 0, len(objects))
	for _, object := range objects {
		if p, ok := object.(*packed); ok {
			var err error
			if object, err = p.whole(); err != nil {
				return nil, err
			}
		}
		all = append(all, object)
	}
	return all, nil
}

// head is what objects have in common that were made for one app, or without labels in one namespace.
type head struct {
	namespace string
	labels    map[string]string
	owners    []metav1.OwnerReference
}

// heads keeps each head once, as long as an object has it.
type heads struct {
	mu    sync.Mutex
	known map[digest]weak.Pointer[head]
}

func newHeads() *heads { return &heads{known: map[digest]weak.Pointer[head]{}} }

func (h *heads) of(object client.Object) *head {
	fresh := &head{namespace: object.GetNamespace(), labels: object.GetLabels(), owners: object.GetOwnerReferences()}
	if fresh.labels[mesh.LabelManagedBy] == mesh.ManagedByDaprise {
		fresh.labels = constants(fresh.labels)
	}
	key := fresh.key()
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.known[key].Value(); known != nil {
		return known
	}
	h.known[key] = weak.Make(fresh)
	runtime.AddCleanup(fresh, h.drop, key)
	return fresh
}

// drop forgets a head that is gone, unless it is there again.
func (h *heads) drop(key digest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[key].Value() == nil {
		delete(h.known, key)
	}
}

// constants are labels of ours whose keys, and what else is the same for all companions, take no memory of their own.
func constants(labels map[string]string) map[string]string {
	same := mesh.ObjectLabels(labels[mesh.LabelInstance], mesh.Component(labels[mesh.LabelComponent]))
	for key, value := range same {
		if had, ok := labels[key]; !ok || had != value {
			return labels
		}
	}
	for key, value := range labels {
		if _, ok := same[key]; !ok {
			same[key] = value
		}
	}
	return same
}

func (h *head) key() digest {
	parts := []string{h.namespace}
	for _, key := range slices.Sorted(maps.Keys(h.labels)) {
		parts = append(parts, key, h.labels[key])
	}
	parts = append(parts, "")
	for _, o := range h.owners {
		controller, blocks := o.Controller != nil && *o.Controller, o.BlockOwnerDeletion != nil && *o.BlockOwnerDeletion
		parts = append(parts, o.APIVersion, o.Kind, o.Name, string(o.UID), fmt.Sprint(o.Controller != nil, controller, o.BlockOwnerDeletion != nil, blocks))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return digest(sum[:len(digest{})])
}
