// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"
)

// scanned is how many objects of a namespace are looked through for what a local index asks for. Beyond, the namespace has the index.
const scanned = 64

// bucket is the objects of one kind in one namespace, of which there are few in most. The nil bucket has none.
type bucket struct {
	// objects are sorted by name.
	objects []*packed
	// found are those of the local indexes, nil as long as they are few.
	found map[place][]*packed
}

func (b *bucket) all() []*packed {
	if b == nil {
		return nil
	}
	return b.objects
}

func (b *bucket) search(name string) (int, bool) {
	return slices.BinarySearchFunc(b.all(), name, func(p *packed, name string) int { return cmp.Compare(p.name, name) })
}

// of is an object by its name, or nil.
func (b *bucket) of(name string) *packed {
	if i, ok := b.search(name); ok {
		return b.objects[i]
	}
	return nil
}

// at are the objects that a local index has under a key.
func (b *bucket) at(i index, key string) []*packed {
	if b != nil && b.found != nil {
		return slices.Clone(b.found[place{i.field, key}])
	}
	var found []*packed
	for _, p := range b.all() {
		if slices.Contains(i.keys(p), key) {
			found = append(found, p)
		}
	}
	return found
}

// swap puts an object, or nothing, in the place of that before of the name, which it returns.
func (b *bucket) swap(name string, p *packed, indexes []index) *packed {
	i, ok := b.search(name)
	var before *packed
	if ok {
		before = b.objects[i]
	}
	switch {
	case ok && p != nil:
		b.objects[i] = p
	case ok:
		b.objects = slices.Delete(b.objects, i, i+1)
	case p != nil:
		b.objects = slices.Insert(b.objects, i, p)
	}
	if b != nil && b.found == nil && len(b.objects) > scanned {
		b.found = map[place][]*packed{}
		for _, p := range b.objects {
			b.index(p, indexes)
		}
		return before
	}
	if b != nil && b.found != nil {
		for _, at := range local(before, indexes) {
			if b.found[at] = slices.DeleteFunc(b.found[at], func(q *packed) bool { return q == before }); len(b.found[at]) == 0 {
				delete(b.found, at)
			}
		}
		b.index(p, indexes)
	}
	return before
}

func (b *bucket) index(p *packed, indexes []index) {
	for _, at := range local(p, indexes) {
		b.found[at] = append(b.found[at], p)
	}
}

// local are where local indexes have an object.
func local(p *packed, indexes []index) []place {
	if p == nil {
		return nil
	}
	var places []place
	for _, i := range indexes {
		if !i.local {
			continue
		}
		for _, key := range i.keys(p) {
			if key != "" {
				places = append(places, place{i.field, key})
			}
		}
	}
	return places
}
