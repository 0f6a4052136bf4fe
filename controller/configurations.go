// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/mesh"
)

// configurations reads Dapr's Configurations that users wrote, in the namespaces asked for and those of apps that name one: they say who
// may call, and a change of them rolls pods. Where Dapr's kinds are not served there are none, which the View says otherwise.
func (b *build) configurations(ctx context.Context) error {
	for _, ns := range b.configured() {
		found, _, err := list[*unstructured.Unstructured](ctx, b.door, kindConfiguration, scope{namespace: ns})
		if err != nil {
			return err
		}
		for _, object := range found {
			c := b.loader.configurations.of(object, func() mesh.Configuration { return mesh.ConfigurationOf(object) })
			b.view.Configurations = append(b.view.Configurations, c)
		}
	}
	return nil
}

// configured are the namespaces whose Configurations matter, sorted.
func (b *build) configured() []string {
	namespaces := slices.Clone(b.need.Namespaces)
	for _, app := range b.view.Apps {
		if app.Configuration() != "" {
			namespaces = append(namespaces, app.Namespace)
		}
	}
	return sortedUnion(namespaces, nil)
}

// heardConfiguration finds the companions that a change of a namespace's Configurations may concern: the namespace's own, and those
// elsewhere that its apps may call, since a Configuration says in which trust domain an app calls.
func (t *triggers) heardConfiguration(ctx context.Context, namespace string) []mesh.AppRef {
	refs := t.refsIn(ctx, namespace)
	for _, k := range []kind{kindService, kindDeployment} {
		for _, object := range t.cached(ctx, k, scope{}) {
			callers := strings.Split(object.GetAnnotations()[mesh.AnnotationCallers], ",")
			if slices.ContainsFunc(callers, func(c string) bool { return strings.HasSuffix(strings.TrimSpace(c), "."+namespace) }) {
				refs = append(refs, mesh.AppRef{Namespace: object.GetNamespace(), ID: object.GetLabels()[mesh.LabelAppID]})
			}
		}
	}
	return refs
}
