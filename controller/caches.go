// SPDX-License-Identifier: Apache-2.0

package controller

import (
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// CacheOptions are those of the manager's cache: Services, Deployments and Gateways as far as they are enrolled, routes, policies and
// grants whole, Dapr's Configurations of users, of Namespaces the labels, and the two ConfigMaps and one DaemonSet that daprise reads by name. Objects in the cache are
// shared and must not be modified.
func CacheOptions(config mesh.Config) cache.Options {
	enrolled := cache.ByObject{Label: enrolledSelector()}
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
			// Those that daprise made are in the second cache.
			untyped(daprConfiguration()): {Label: othersSelector()},
			&gatewayv1.HTTPRoute{}:       {Transform: withoutStatus},
			&gatewayv1.GRPCRoute{}:       {Transform: withoutStatus},
			metadataOf(podKind()):        {Label: holderSelector(), Transform: onlyOwners},
			metadataOf(endpointsKind()):  {Label: enrolledSelector(), Transform: onlyOwners},
			// Cilium writes the state of every node into a policy's status.
			&ciliumv2.CiliumNetworkPolicy{}:            {Transform: withoutStatus},
			&ciliumv2.CiliumClusterwideNetworkPolicy{}: {Transform: withoutStatus},
		},
	}
}

// ownedCacheOptions are those of the second cache: what daprise made, and nothing else.
func ownedCacheOptions(base cache.Options) cache.Options {
	base.ByObject = nil
	base.DefaultLabelSelector = ownedSelector()
	base.DefaultTransform = onlyOwnFields
	base.DefaultUnsafeDisableDeepCopy = ptr.To(true)
	return base
}

// onlyOwnFields keeps of managedFields which fields daprise applied: what an object is to lose can be told from nothing else. It
// modifies its argument, as transforms of a cache do.
func onlyOwnFields(in any) (any, error) {
	object, err := meta.Accessor(in)
	if err != nil {
		return in, nil //nolint:nilerr // not an object: nothing to drop
	}
	entries := object.GetManagedFields()
	for i := range entries {
		if entries[i].Manager != mesh.FieldManager || entries[i].Operation != metav1.ManagedFieldsOperationApply {
			entries[i].FieldsV1 = nil
		}
	}
	object.SetManagedFields(entries)
	return in, nil
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
	switch object := in.(type) {
	case *gatewayv1.HTTPRoute:
		object.Status = gatewayv1.HTTPRouteStatus{}
	case *gatewayv1.GRPCRoute:
		object.Status = gatewayv1.GRPCRouteStatus{}
	case *ciliumv2.CiliumNetworkPolicy:
		object.Status = ciliumv2.CiliumNetworkPolicyStatus{}
	case *ciliumv2.CiliumClusterwideNetworkPolicy:
		object.Status = ciliumv2.CiliumNetworkPolicyStatus{}
	}
	return cache.TransformStripManagedFields()(in)
}
