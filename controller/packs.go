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
	named map[string]map[string]*packed
	found map[place][]*packed
	full  bool
}

// place is a key of an index. Of local ones it has a namespace.
type place struct{ field, namespace, key string }

func newPacks(f *form, indexes []index) *packs {
	return &packs{form: f, indexes: indexes, tell: func(_, _ *packed) {}, named: map[string]map[string]*packed{}, found: map[place][]*packed{}}
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
	if where.key != "" {
		return s.at(where)
	}
	if where.namespace != "" {
		return appendAll(make([]*packed, 0, len(s.named[where.namespace])), s.named[where.namespace])
	}
	var all []*packed
	for _, objects := range s.named {
		all = appendAll(all, objects)
	}
	return all
}

func appendAll(all []*packed, objects map[string]*packed) []*packed {
	for _, p := range objects {
		all = append(all, p)
	}
	return all
}

func (s *packs) at(where scope) []*packed {
	key := place{field: where.index.field, key: where.key}
	if where.index.local {
		key.namespace = where.namespace
	}
	objects := slices.Clone(s.found[key])
	if where.index.local || where.namespace == "" {
		return objects
	}
	return slices.DeleteFunc(objects, func(p *packed) bool { return p.head.namespace != where.namespace })
}

// of is an object by its name, or nil.
func (s *packs) of(key client.ObjectKey) *packed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.named[key.Namespace][key.Name]
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
	for namespace, objects := range s.named {
		for name := range objects {
			if key := (client.ObjectKey{Namespace: namespace, Name: name}); fresh[key] == nil {
				changes = append(changes, [2]*packed{s.swap(key, nil), nil})
			}
		}
	}
	for key, p := range fresh {
		// What is the same keeps what was derived from it.
		if before := s.named[key.Namespace][key.Name]; before == nil || before.uid != p.uid || before.version != p.version {
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
	before := s.named[key.Namespace][key.Name]
	for _, place := range s.places(before) {
		rest := slices.DeleteFunc(s.found[place], func(q *packed) bool { return q == before })
		if s.found[place] = rest; len(rest) == 0 {
			delete(s.found, place)
		}
	}
	if p == nil {
		if delete(s.named[key.Namespace], key.Name); len(s.named[key.Namespace]) == 0 {
			delete(s.named, key.Namespace)
		}
		return before
	}
	if s.named[key.Namespace] == nil {
		s.named[p.head.namespace] = map[string]*packed{}
	}
	s.named[p.head.namespace][p.name] = p
	for _, place := range s.places(p) {
		s.found[place] = append(s.found[place], p)
	}
	return before
}

// places are where the indexes have an object.
func (s *packs) places(p *packed) []place {
	if p == nil {
		return nil
	}
	var places []place
	for _, i := range s.indexes {
		for _, key := range i.keys(p) {
			at := place{field: i.field, key: key}
			if i.local {
				at.namespace = p.head.namespace
			}
			if key != "" && !slices.Contains(places, at) {
				places = append(places, at)
			}
		}
	}
	return places
}
