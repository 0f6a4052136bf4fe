// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pageSize of live lists.
const pageSize = 500

// caches tells which caches are complete. *watcher is one; nothing is cached where a loader has none.
type caches interface {
	reader(k kind) (client.Reader, bool)
}

// door is where one load reads: the caches as far as they are complete, else the API server; or the API server alone.
type door struct {
	caches caches
	live   client.Reader
	kinds  map[kind]facts
}

// liveDoor reads the same objects from the API server alone.
func (d door) liveDoor() door { return door{live: d.live, kinds: d.kinds} }

func (d door) cached(k kind) (client.Reader, bool) {
	if d.caches == nil {
		return nil, false
	}
	return d.caches.reader(k)
}

// scope narrows a list.
type scope struct {
	// namespace, or empty for all.
	namespace string
	// index and key narrow by a field index of the kind; live reads apply its function themselves.
	index index
	key   string
	// everything lifts the kind's own selector; such a list is always live.
	everything bool
}

// list is all objects of a kind in a scope. served is false, and nothing else wrong, where the API server does not serve the kind. The
// objects may be shared and must not be modified.
func list[T client.Object](ctx context.Context, d door, k kind, s scope) (objects []T, served bool, err error) {
	if reader, ok := d.cached(k); ok && !s.everything {
		if held, ok := reader.(*packs); ok {
			objects, err = wholes[T](held.in(s))
			return objects, true, err
		}
		objects, err = listCached[T](ctx, reader, d.kinds[k], s)
		return objects, true, err
	}
	objects, err = listLive[T](ctx, d.live, d.kinds[k], s)
	if err != nil && isMissingKind(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("list %s: %w", d.kinds[k].gvk.Kind, err)
	}
	return objects, true, nil
}

func listCached[T client.Object](ctx context.Context, reader client.Reader, f facts, s scope) ([]T, error) {
	options := []client.ListOption{client.InNamespace(s.namespace)}
	if s.key != "" {
		options = append(options, client.MatchingFields{s.index.field: s.key})
	}
	found := newList(f)
	if err := reader.List(ctx, found, options...); err != nil {
		return nil, fmt.Errorf("list cached %s: %w", f.gvk.Kind, err)
	}
	return items[T](found)
}

func listLive[T client.Object](ctx context.Context, reader client.Reader, f facts, s scope) ([]T, error) {
	var all []T
	token := ""
	for {
		options := []client.ListOption{client.InNamespace(s.namespace), client.Limit(pageSize), client.Continue(token)}
		if !s.everything {
			options = append(options, client.MatchingLabelsSelector{Selector: f.selector})
		}
		page := newList(f)
		if err := reader.List(ctx, page, options...); err != nil {
			return nil, err
		}
		objects, err := items[T](page)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
		if token = page.GetContinue(); token == "" {
			break
		}
	}
	if s.key == "" {
		return all, nil
	}
	return slices.DeleteFunc(all, func(object T) bool { return !slices.Contains(s.index.keys(object), s.key) }), nil
}

func newList(f facts) client.ObjectList {
	list, ok := f.list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return &metav1.PartialObjectMetadataList{} // cannot be: the copy of a client.ObjectList is one
	}
	return list
}

func items[T client.Object](page client.ObjectList) ([]T, error) {
	objects := make([]T, 0, meta.LenList(page))
	err := meta.EachListItem(page, func(item runtime.Object) error {
		object, ok := item.(T)
		if !ok {
			return fmt.Errorf("%T holds a %T", page, item)
		}
		objects = append(objects, object)
		return nil
	})
	return objects, err
}

// get reads one object, or nil where there is none or its kind is not served. What is not in a cache that holds a selection only is
// looked for live.
func get[T client.Object](ctx context.Context, d door, k kind, key client.ObjectKey) (object T, err error) {
	var none T
	found := d.kinds[k].object.DeepCopyObject()
	object, ok := found.(T)
	if !ok {
		return none, fmt.Errorf("%s is a %T", k, found)
	}
	reader, ok := d.cached(k)
	if held, packs := reader.(*packs); ok && packs {
		if p := held.of(key); p != nil {
			return wholeOf[T](p)
		}
		if d.kinds[k].selector.Empty() {
			return none, nil
		}
	} else if ok {
		err := reader.Get(ctx, key, object)
		if err == nil || !apierrors.IsNotFound(err) {
			return object, err
		}
		if d.kinds[k].selector.Empty() {
			return none, nil
		}
	}
	if err := d.live.Get(ctx, key, object); err != nil {
		if isMissingKind(err) {
			return none, nil
		}
		return none, fmt.Errorf("get %s %s: %w", d.kinds[k].gvk.Kind, key, err)
	}
	return object, nil
}
