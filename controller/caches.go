// SPDX-License-Identifier: Apache-2.0

package controller

import (
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// Names of objects that are read one by one.
const (
	ciliumConfigMap = "cilium-config"
	ciliumDaemonSet = "cilium"
	trustBundle     = "dapr-trust-bundle"
	trustBundleKey  = "ca.crt"
)

// CacheOptions are those of the manager's cache: of Services, Deployments and Gateways those that are enrolled, as far as that is read, clusterwide policies and
// grants whole, Dapr's Configurations of users, of Namespaces the labels, and the two ConfigMaps and one DaemonSet that daprise reads by name. Objects in the cache are
// shared and must not be modified.
func CacheOptions(config mesh.Config) cache.Options {
	enrolled := cache.ByObject{Label: enrolledSelector(), Transform: onlyEnrolment}
	return cache.Options{
		DefaultTransform:             cache.TransformStripManagedFields(),
		DefaultUnsafeDisableDeepCopy: ptr.To(true),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Service{}:    enrolled,
			&appsv1.Deployment{}: enrolled,
			&gatewayv1.Gateway{}: enrolled,
			&corev1.Namespace{}:  {Transform: onlyLabels},
			&corev1.ConfigMap{}:  {Namespaces: configMaps(config), Transform: cache.TransformStripManagedFields()},
			&appsv1.DaemonSet{}:  {Namespaces: map[string]cache.Config{config.Cilium.Namespace: {FieldSelector: named(ciliumDaemonSet)}}},
			// Those that daprise made are packed (forms).
			untyped(daprConfiguration()): {Label: othersSelector()},
			// Cilium writes the state of every node into a policy's status.
			&ciliumv2.CiliumClusterwideNetworkPolicy{}: {Transform: withoutStatus},
		},
	}
}

// configMaps watches one ConfigMap in each namespace. A field selector cannot name two, so where both are in one namespace all of it is
// watched.
func configMaps(config mesh.Config) map[string]cache.Config {
	if config.Cilium.Namespace == config.Dapr.ControlPlaneNamespace {
		return map[string]cache.Config{config.Cilium.Namespace: {}}
	}
	return map[string]cache.Config{
		config.Cilium.Namespace:           {FieldSelector: named(ciliumConfigMap)},
		config.Dapr.ControlPlaneNamespace: {FieldSelector: named(trustBundle)},
	}
}

func named(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }

// onlyEnrolment drops of what users enrol what no decision reads and may be large: what kubectl remembers, and of a Deployment's pods all but their
// labels, annotations and ports. It modifies its argument, as transforms of a cache do.
func onlyEnrolment(in any) (any, error) {
	if object, ok := in.(client.Object); ok {
		delete(object.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
	}
	if d, ok := in.(*appsv1.Deployment); ok {
		containers := d.Spec.Template.Spec.Containers
		d.Spec.Template.Spec = corev1.PodSpec{}
		for _, c := range containers {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: c.Name, Ports: c.Ports})
		}
	}
	return cache.TransformStripManagedFields()(in)
}

// onlyLabels keeps of a Namespace what decisions read. It modifies its argument, as transforms of a cache do.
func onlyLabels(in any) (any, error) {
	if ns, ok := in.(*corev1.Namespace); ok {
		ns.ManagedFields, ns.Annotations = nil, nil
		ns.Spec = corev1.NamespaceSpec{}
	}
	return in, nil
}

// withoutStatus drops what no decision reads. It modifies its argument, as transforms of a cache do.
func withoutStatus(in any) (any, error) {
	if object, ok := in.(*ciliumv2.CiliumClusterwideNetworkPolicy); ok {
		object.Status = ciliumv2.CiliumNetworkPolicyStatus{}
	}
	return cache.TransformStripManagedFields()(in)
}
