// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// store holds objects as an API server would and reads them as one: it is what controller.Loader loads from. Every kind counts as
// served. What it gives out is shared and must not be modified.
type store struct {
	scheme   *runtime.Scheme
	objects  map[schema.GroupKind]map[string][]client.Object
	versions int
}

func newStore(scheme *runtime.Scheme) *store {
	return &store{scheme: scheme, objects: map[schema.GroupKind]map[string][]client.Object{}}
}

// put stores an object in place of the one of its kind and name.
func (s *store) put(gk schema.GroupKind, object client.Object) {
	byNamespace := s.objects[gk]
	if byNamespace == nil {
		byNamespace = map[string][]client.Object{}
		s.objects[gk] = byNamespace
	}
	list := byNamespace[object.GetNamespace()]
	if i, found := search(list, object.GetName()); found {
		list[i] = object
	} else {
		list = slices.Insert(list, i, object)
	}
	byNamespace[object.GetNamespace()] = list
}

func search(list []client.Object, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(o client.Object, name string) int { return cmp.Compare(o.GetName(), name) })
}

func (s *store) find(gk schema.GroupKind, key client.ObjectKey) client.Object {
	list := s.objects[gk][key.Namespace]
	if i, found := search(list, key.Name); found {
		return list[i]
	}
	return nil
}

// Get implements client.Reader.
func (s *store) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(object, s.scheme)
	if err != nil {
		return err
	}
	found := s.find(gvk.GroupKind(), key)
	if found == nil {
		return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(gvk.Kind)}, key.Name)
	}
	return copyInto(object, found)
}

// copyInto makes an object what another of its type is.
func copyInto(object, found client.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	if err != nil {
		return fmt.Errorf("copy %T: %w", found, err)
	}
	if u, ok := object.(*unstructured.Unstructured); ok {
		u.Object = fields
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(fields, object)
}

// List implements client.Reader: by namespace and by labels, as the loader asks. It gives all at once.
func (s *store) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	gvk, err := apiutil.GVKForObject(list, s.scheme)
	if err != nil {
		return err
	}
	gk := schema.GroupKind{Group: gvk.Group, Kind: strings.TrimSuffix(gvk.Kind, "List")}
	found := s.list(gk, o)
	if metadata, ok := list.(*metav1.PartialObjectMetadataList); ok {
		for _, object := range found {
			metadata.Items = append(metadata.Items, *meta.AsPartialObjectMetadata(object))
		}
		return nil
	}
	items := make([]runtime.Object, len(found))
	for i, object := range found {
		items[i] = object
	}
	return meta.SetList(list, items)
}

func (s *store) list(gk schema.GroupKind, o client.ListOptions) []client.Object {
	selector := o.LabelSelector
	if selector == nil {
		selector = labels.Everything()
	}
	var found []client.Object
	add := func(objects []client.Object) {
		for _, object := range objects {
			if selector.Matches(labels.Set(object.GetLabels())) {
				found = append(found, object)
			}
		}
	}
	if o.Namespace != "" {
		add(s.objects[gk][o.Namespace])
		return found
	}
	namespaces := make([]string, 0, len(s.objects[gk]))
	for namespace := range s.objects[gk] {
		namespaces = append(namespaces, namespace)
	}
	slices.Sort(namespaces)
	for _, namespace := range namespaces {
		add(s.objects[gk][namespace])
	}
	return found
}
