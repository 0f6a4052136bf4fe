// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"encoding/json"
	"fmt"

	patches "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/mutate"
)

// Plan is what the controller would do in the World as admitted, sorted by namespace and app ID.
func (w *World) Plan(ctx context.Context) ([]controller.Planned, error) {
	planned, _, err := w.loader.Plan(ctx, mesh.Need{Namespaces: w.Namespaces(), AllNamespaces: true})
	return planned, err
}

// Content is an object that the controller would write, as it would write it. Where its owner has no UID, since it is in a file alone,
// it names no owner: an API server takes no ownerReference without one.
func Content(object client.Object) (*unstructured.Unstructured, error) {
	content, err := companion.Content(object)
	if err != nil {
		return nil, err
	}
	for _, owner := range content.GetOwnerReferences() {
		if owner.UID == "" {
			content.SetOwnerReferences(nil)
			break
		}
	}
	return content, nil
}

// Written is the object as its document should have it: as it would be stored, or as it is where it is refused.
func (o *Object) Written() ([]byte, error) {
	if o.After == nil {
		return o.Document.JSON, nil
	}
	if !o.defaulted {
		return o.After, nil
	}
	return patched(o.After, []patches.Operation{patches.NewOperation("remove", "/metadata/namespace", nil)})
}

// IsGenerated says that daprise made the object: it belongs to a companion.
func (o *Object) IsGenerated() bool {
	labels := o.typed.GetLabels()
	return labels[mesh.LabelManagedBy] == mesh.ManagedByDaprise && labels[mesh.LabelInstance] != "" && !isEnrolled(o)
}

func isEnrolled(o *Object) bool {
	return o.typed.GetAnnotations()[mesh.AnnotationEnabled] != ""
}

// Left is the object as its document should have it once the mesh is gone: without what daprise wrote.
func (w *World) Left(o *Object) ([]byte, error) {
	var result mutate.Result
	var err error
	switch {
	case isRoute(o.Kind):
		view := &mesh.View{Config: w.options.Config, CompanionServices: w.companionServices()}
		result, err = mutate.Route(mutate.Request{Kind: o.Kind.Kind, Object: o.Before, OldObject: o.Before}, view)
	case isEnrollable(o.Kind):
		var bare []byte
		if bare, err = withoutAnnotations(o.Before); err == nil {
			result, err = mutate.Enrolment(mutate.Request{Kind: o.Kind.Kind, Object: bare}, &mesh.View{Config: w.options.Config})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("undo %s: %w", o.Name, err)
	}
	if len(result.Patch) == 0 {
		return o.Document.JSON, nil
	}
	return patched(o.Document.JSON, result.Patch)
}

// companionServices are the Services of companions among the objects.
func (w *World) companionServices() []mesh.Name {
	var names []mesh.Name
	for _, o := range w.Objects {
		if o.Kind.Kind == mesh.KindService && o.IsGenerated() {
			names = append(names, mesh.Name{Namespace: o.Name.Namespace, Name: o.Name.Name})
		}
	}
	return names
}

// withoutAnnotations is an object that asks for nothing.
func withoutAnnotations(object []byte) ([]byte, error) {
	var content map[string]any
	if err := json.Unmarshal(object, &content); err != nil {
		return nil, err
	}
	if metadata, ok := content["metadata"].(map[string]any); ok {
		delete(metadata, "annotations")
	}
	return json.Marshal(content)
}

// NameOf names an object that the controller would write.
func NameOf(object client.Object) mesh.Object {
	apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	return mesh.Object{APIVersion: apiVersion, Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}

// Find is the object of a kind and name, whatever its version, or nil.
func (w *World) Find(name mesh.Object) *Object { return w.names[unversioned(name)] }
