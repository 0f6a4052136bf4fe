// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errNoList is what List of packs says.
var errNoList = errors.New("packed objects are found by their scope")

// packs are the packed objects of one kind. A reflector writes, anybody reads.
type packs struct {
	form    *form
	indexes []index
	// tell hears of every change, after the packs have it.
	tell func(old, new *packed)

	mu    sync.RWMutex
	named map[string]*bucket
	found map[place][]*packed
	full  bool
}

// place is a key of an index that is not local.
type place struct{ field, key string }

func newPacks(f *form, indexes []index) *packs {
	return &packs{form: f, indexes: indexes, tell: func(_, _ *packed) {}, named: map[string]*bucket{}, found: map[place][]*packed{}}
}

// HasSynced says that all objects of the kind are there.
func (s *packs) HasSynced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.full
}

// in are the objects in a scope. They may be in any order.
func (s *packs) in(where scope) []*packed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case where.key != "" && where.index.local:
		return s.named[where.namespace].at(where.index, where.key)
	case where.key != "":
		return s.at(where)
	case where.namespace != "":
		return slices.Clone(s.named[where.namespace].all())
	}
	var all []*packed
	for _, b := range s.named {
		all = append(all, b.objects...)
	}
	return all
}

func (s *packs) at(where scope) []*packed {
	objects := slices.Clone(s.found[place{where.index.field, where.key}])
	if where.namespace == "" {
		return objects
	}
	return slices.DeleteFunc(objects, func(p *packed) bool { return p.head.namespace != where.namespace })
}

// of is an object by its name, or nil.
func (s *packs) of(key client.ObjectKey) *packed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.named[key.Namespace].of(key.Name)
}

// Get unpacks an object.
func (s *packs) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	p := s.of(key)
	if p == nil {
		return apierrors.NewNotFound(schema.GroupResource{Group: s.form.gvk.Group, Resource: s.form.gvk.Kind}, key.Name)
	}
	return p.into(object)
}

// List is there for client.Reader alone.
func (*packs) List(context.Context, client.ObjectList, ...client.ListOption) error { return errNoList }

// Transformer packs, also what a reflector holds while it reads the first time (toolscache.TransformingStore).
func (s *packs) Transformer() toolscache.TransformFunc { return s.form.pack }

// Add stores an object that is new or changed.
func (s *packs) Add(object any) error {
	p, err := s.packed(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	before := s.swap(client.ObjectKey{Namespace: p.head.namespace, Name: p.name}, p)
	s.mu.Unlock()
	s.tell(before, p)
	return nil
}

// Update is Add.
func (s *packs) Update(object any) error { return s.Add(object) }

// Delete forgets an object.
func (s *packs) Delete(object any) error {
	gone, err := meta.Accessor(object)
	if err != nil {
		return fmt.Errorf("forget %T: %w", object, err)
	}
	s.mu.Lock()
	before := s.swap(client.ObjectKey{Namespace: gone.GetNamespace(), Name: gone.GetName()}, nil)
	s.mu.Unlock()
	if before != nil {
		s.tell(before, nil)
	}
	return nil
}

// Replace stores all that there is.
func (s *packs) Replace(list []any, _ string) error {
	fresh := make(map[client.ObjectKey]*packed, len(list))
	for _, object := range list {
		p, err := s.packed(object)
		if err != nil {
			return err
		}
		fresh[client.ObjectKey{Namespace: p.head.namespace, Name: p.name}] = p
	}
	var changes [][2]*packed
	s.mu.Lock()
	for namespace, b := range s.named {
		for _, p := range slices.Clone(b.objects) {
			if key := (client.ObjectKey{Namespace: namespace, Name: p.name}); fresh[key] == nil {
				changes = append(changes, [2]*packed{s.swap(key, nil), nil})
			}
		}
	}
	for key, p := range fresh {
		// What is the same keeps what was derived from it.
		if before := s.named[key.Namespace].of(key.Name); before == nil || before.GetUID() != p.GetUID() || before.GetResourceVersion() != p.GetResourceVersion() {
			changes = append(changes, [2]*packed{s.swap(key, p), p})
		}
	}
	s.mu.Unlock()
	for _, c := range changes {
		s.tell(c[0], c[1])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = true
	return nil
}

// Resync has nothing to do: what was told is not told again.
func (*packs) Resync() error { return nil }

func (s *packs) packed(object any) (*packed, error) {
	in, err := s.form.pack(object)
	if err != nil {
		return nil, err
	}
	p, ok := in.(*packed)
	if !ok {
		return nil, fmt.Errorf("%T cannot be packed", object)
	}
	return p, nil
}

// swap puts an object, or nothing, in the place of that before, which it returns. The lock is held.
func (s *packs) swap(key client.ObjectKey, p *packed) *packed {
	b := s.named[key.Namespace]
	if b == nil && p != nil {
		b = &bucket{}
		s.named[p.head.namespace] = b
	}
	before := b.swap(key.Name, p, s.indexes)
	if len(b.all()) == 0 {
		delete(s.named, key.Namespace)
	}
	for _, at := range s.places(before) {
		rest := slices.DeleteFunc(s.found[at], func(q *packed) bool { return q == before })
		if s.found[at] = rest; len(rest) == 0 {
			delete(s.found, at)
		}
	}
	for _, at := range s.places(p) {
		s.found[at] = append(s.found[at], p)
	}
	return before
}

// places are where the indexes that are not local have an object.
func (s *packs) places(p *packed) []place {
	if p == nil {
		return nil
	}
	var places []place
	for _, i := range s.indexes {
		if i.local {
			continue
		}
		for _, key := range i.keys(p) {
			if at := (place{i.field, key}); key != "" && !slices.Contains(places, at) {
				places = append(places, at)
			}
		}
	}
	return places
}
