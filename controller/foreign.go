// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// foreign adds, to a live load, the objects of others that have the name of a companion's object. The caches do not hold them.
func (b *build) foreign(ctx context.Context) error {
	if b.door.caches != nil {
		return nil
	}
	for _, ns := range b.need.Namespaces {
		for _, k := range ownedKinds() {
			found, err := foreignIn(ctx, b.door.live, b.door.kinds[k].gvk, ns)
			if err != nil {
				return err
			}
			b.view.Foreign = append(b.view.Foreign, found...)
		}
	}
	return nil
}

// foreignIn lists page by page, metadata only. A kind that is not served has no objects.
func foreignIn(ctx context.Context, reader client.Reader, gvk schema.GroupVersionKind, namespace string) ([]mesh.Object, error) {
	var found []mesh.Object
	token := ""
	for {
		page := &metav1.PartialObjectMetadataList{}
		page.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := reader.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(token))
		if err != nil && isMissingKind(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
		}
		for i := range page.Items {
			if item := &page.Items[i]; isForeign(item) {
				found = append(found, mesh.Object{
					APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: item.Namespace, Name: item.Name,
				})
			}
		}
		if token = page.GetContinue(); token == "" {
			return found, nil
		}
	}
}

// isForeign says that an object has a name that a companion's object could have (app IDs are short enough that no name is cut), and was
// not made by daprise.
func isForeign(object metav1.Object) bool {
	candidates := []string{
		strings.TrimSuffix(object.GetName(), mesh.CompanionName("")),
		strings.TrimSuffix(object.GetName(), mesh.APIServiceName("")),
	}
	named := slices.ContainsFunc(candidates, func(id string) bool {
		return id != "" && (object.GetName() == mesh.CompanionName(id) || object.GetName() == mesh.APIServiceName(id))
	})
	return named && !isOurs(object, object.GetLabels()[mesh.LabelInstance])
}
