// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// glancesAtMost is how many Services are looked at one by one. For more of them their namespaces are better loaded.
const glancesAtMost = 8

// Unseen says whether the API server has an enrolment by which a route of this need would be in the mesh, and which the View does not know: of a
// Gateway, or, where one is enrolled, of a Service or of a Deployment behind it. It reads the metadata of what the View does not know, and no
// more of others than tells that a route has nothing to do with them; where that is much, it says that there may be one. Those who ask for one
// object at a time share the answer. An error means that the API server could not be read.
func (l *Loader) Unseen(ctx context.Context, need mesh.Need, view *mesh.View) (bool, error) {
	joined := false
	for _, name := range need.Gateways {
		if _, known := view.IngressOfGateway(name); known {
			joined = true
			continue
		}
		if enrolled, err := l.labelled(ctx, kindGateway, name); enrolled || err != nil {
			return enrolled, err
		}
	}
	var unknown []mesh.Name
	for _, name := range need.Services {
		if _, known := view.AppOfService(name); !known && !view.IsCompanionService(name) && (joined || mayBeCompanion(name.Name)) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > glancesAtMost {
		return true, nil
	}
	for _, name := range unknown {
		if enrolled, err := l.labelled(ctx, kindService, name); enrolled || err != nil {
			return enrolled, err
		}
	}
	if !joined {
		return false, nil
	}
	var namespaces []string
	for _, name := range unknown {
		if slices.Contains(namespaces, name.Namespace) {
			continue
		}
		namespaces = append(namespaces, name.Namespace)
		if newer, err := l.newerDeployments(ctx, name.Namespace); newer || err != nil {
			return newer, err
		}
	}
	return false, nil
}

// mayBeCompanion says whether a Service that daprise made could have a name: the rules about those hold for routes of every Gateway.
func mayBeCompanion(name string) bool {
	return strings.Contains(name, mesh.CompanionName("")) || len(name) == mesh.MaxName
}

// labelled says whether an object is enrolled, or was made by daprise, as the API server knows it now.
func (l *Loader) labelled(ctx context.Context, k kind, name mesh.Name) (bool, error) {
	enrolled, err := l.glances.do(ctx, string(k)+" "+name.String(), func(ctx context.Context) (bool, error) {
		object := metadataOf(l.door.kinds[k].gvk)
		err := l.door.live.Get(ctx, name, object)
		if err != nil && isMissingKind(err) {
			return false, nil
		}
		_, enrolled := object.GetLabels()[mesh.LabelAppID]
		return enrolled || object.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedByDaprise, err
	})
	if err != nil {
		return false, fmt.Errorf("get %s %s from the API server: %w", k, name, err)
	}
	return enrolled, nil
}

// newerDeployments says whether the enrolled Deployments of a namespace are others than the cache has.
func (l *Loader) newerDeployments(ctx context.Context, namespace string) (bool, error) {
	newer, err := l.glances.do(ctx, string(kindDeployment)+" "+namespace, func(ctx context.Context) (bool, error) {
		f := l.door.kinds[kindDeployment]
		f.list = metadataListOf(f.gvk)
		live, err := listLive[*metav1.PartialObjectMetadata](ctx, l.door.live, f, scope{namespace: namespace})
		if err != nil {
			return false, err
		}
		cached, _, err := list[client.Object](ctx, l.door, kindDeployment, scope{namespace: namespace})
		return !slices.Equal(versionsOf(live), versionsOf(cached)), err
	})
	if err != nil {
		return false, fmt.Errorf("list Deployments of %s from the API server: %w", namespace, err)
	}
	return newer, nil
}

// versionsOf are the versions of objects, sorted.
func versionsOf[T client.Object](objects []T) []string {
	var versions []string
	for _, object := range objects {
		versions = append(versions, string(object.GetUID())+" "+object.GetResourceVersion())
	}
	slices.Sort(versions)
	return versions
}
