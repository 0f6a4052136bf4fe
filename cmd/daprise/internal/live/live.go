// SPDX-License-Identifier: Apache-2.0

// Package live reads from an API server what files would hold.
package live

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// MeshConfig is the config file that the cluster's daprise-webhook follows, or the defaults where there is none.
func MeshConfig(ctx context.Context, reader client.Reader) (mesh.Config, error) {
	configMap := &corev1.ConfigMap{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: mesh.SystemNamespace, Name: hooks.ConfigMapName}, configMap)
	if apierrors.IsNotFound(err) {
		return mesh.DefaultConfig(), nil
	}
	if err != nil {
		return mesh.Config{}, fmt.Errorf("get ConfigMap %s/%s: %w", mesh.SystemNamespace, hooks.ConfigMapName, err)
	}
	config, err := mesh.ParseConfig([]byte(configMap.Data[hooks.KeyConfig]))
	if err != nil {
		return mesh.Config{}, fmt.Errorf("ConfigMap %s/%s: %w", mesh.SystemNamespace, hooks.ConfigMapName, err)
	}
	return config, nil
}

// What says what is read of a cluster.
type What struct {
	// Config says where the surroundings are.
	Config mesh.Config
	// Reading is told each kind before it is read.
	Reading func(kind string)
}

// Read reads all objects of the cluster that decisions look at, as a file without a name. Kinds that are not served have no objects.
func Read(ctx context.Context, reader client.Reader, what What) (document.File, error) {
	r := &reading{reader: reader, tell: what.Reading}
	for _, kind := range world.Kinds() {
		if err := r.list(ctx, kind); err != nil {
			return r.file, err
		}
	}
	// Pods are many, and asked of where companions are alone.
	for _, namespace := range r.enrolled {
		if err := r.list(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), client.InNamespace(namespace)); err != nil {
			return r.file, err
		}
	}
	for _, s := range world.Surroundings(what.Config) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(s.GroupVersionKind)
		err := reader.Get(ctx, s.Name, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return r.file, fmt.Errorf("get %s %s: %w", s.Kind, s.Name, err)
		}
		if err := r.add(object); err != nil {
			return r.file, err
		}
	}
	return r.file, nil
}

// reading is one Read under way.
type reading struct {
	reader client.Reader
	tell   func(kind string)
	file   document.File
	// enrolled are the namespaces that hold an enrolled object, sorted.
	enrolled []string
}

func (r *reading) list(ctx context.Context, gvk schema.GroupVersionKind, options ...client.ListOption) error {
	r.tell(gvk.Kind)
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	objects, err := List[*unstructured.Unstructured](ctx, r.reader, list, options...)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := r.add(object); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) add(object *unstructured.Unstructured) error {
	if object.GetAnnotations()[mesh.AnnotationEnabled] == "true" {
		if i, found := slices.BinarySearch(r.enrolled, object.GetNamespace()); !found {
			r.enrolled = slices.Insert(r.enrolled, i, object.GetNamespace())
		}
	}
	object.SetManagedFields(nil)
	data, err := json.Marshal(object.Object)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	r.file.Segments = append(r.file.Segments, document.Segment{Document: document.Stored(data)})
	return nil
}
