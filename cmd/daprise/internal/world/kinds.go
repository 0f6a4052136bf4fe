// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"errors"
	"fmt"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	kjson "sigs.k8s.io/json"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

var errUnfit = errors.New("does not fit its kind")

const (
	groupApps       = "apps"
	groupGateway    = gatewayv1.GroupName
	groupCilium     = "cilium.io"
	groupNetworking = networkingv1.GroupName
	kindCIDRGroup   = "CiliumCIDRGroup"
)

// known makes an empty object of each kind that a decision reads. Every version of a kind is read as the one that decisions know: the
// API server converts the same way, since the versions of these kinds differ in name alone.
func known() map[schema.GroupKind]func() client.Object {
	return map[schema.GroupKind]func() client.Object{
		{Kind: "Namespace"}:                                      func() client.Object { return &corev1.Namespace{} },
		{Kind: mesh.KindService}:                                 func() client.Object { return &corev1.Service{} },
		{Kind: "ConfigMap"}:                                      func() client.Object { return &corev1.ConfigMap{} },
		{Kind: "ServiceAccount"}:                                 func() client.Object { return &corev1.ServiceAccount{} },
		{Kind: "Pod"}:                                            func() client.Object { return &corev1.Pod{} },
		{Group: groupApps, Kind: mesh.KindDeployment}:            func() client.Object { return &appsv1.Deployment{} },
		{Group: groupApps, Kind: "DaemonSet"}:                    func() client.Object { return &appsv1.DaemonSet{} },
		{Group: policyv1.GroupName, Kind: "PodDisruptionBudget"}: func() client.Object { return &policyv1.PodDisruptionBudget{} },
		{Group: groupGateway, Kind: mesh.KindGateway}:            func() client.Object { return &gatewayv1.Gateway{} },
		{Group: groupGateway, Kind: mesh.KindHTTPRoute}:          func() client.Object { return &gatewayv1.HTTPRoute{} },
		{Group: groupGateway, Kind: mesh.KindGRPCRoute}:          func() client.Object { return &gatewayv1.GRPCRoute{} },
		{Group: groupGateway, Kind: "ReferenceGrant"}:            func() client.Object { return &gatewayv1beta1.ReferenceGrant{} },
		{Group: groupCilium, Kind: policy.KindCNP}:               func() client.Object { return &ciliumv2.CiliumNetworkPolicy{} },
		{Group: groupCilium, Kind: policy.KindCCNP}:              func() client.Object { return &ciliumv2.CiliumClusterwideNetworkPolicy{} },
		{Group: groupCilium, Kind: kindCIDRGroup}:                func() client.Object { return &ciliumv2.CiliumCIDRGroup{} },
		{Group: groupCilium, Kind: "CiliumLocalRedirectPolicy"}:  func() client.Object { return &ciliumv2.CiliumLocalRedirectPolicy{} },
		{Group: groupNetworking, Kind: policy.KindKNP}:           func() client.Object { return &networkingv1.NetworkPolicy{} },
		{Group: "dapr.io", Kind: "Configuration"}:                func() client.Object { return &unstructured.Unstructured{} },
	}
}

// Wanted says which objects decisions read: those of known kinds, but of ConfigMaps only those that have a name of the surroundings.
func Wanted() func(*document.Document) bool {
	kinds := known()
	return func(d *document.Document) bool {
		gk := schema.GroupKind{Group: d.Group(), Kind: d.Kind}
		if gk.Group == "" && gk.Kind == "ConfigMap" {
			return d.Name == ciliumConfig || d.Name == trustBundle || d.Name == ConfigMap
		}
		_, ok := kinds[gk]
		return ok
	}
}

// namespaceKind is the kind of namespaces.
func namespaceKind() schema.GroupKind { return schema.GroupKind{Kind: "Namespace"} }

// clusterScoped says that objects of a known kind have no namespace.
func clusterScoped(gk schema.GroupKind) bool {
	return gk.Kind == "Namespace" || gk.Kind == policy.KindCCNP || gk.Kind == kindCIDRGroup
}

// decode reads an object as the type that decisions know it as.
func decode(empty client.Object, data []byte) (client.Object, error) {
	if u, ok := empty.(*unstructured.Unstructured); ok {
		return u, json.Unmarshal(data, &u.Object)
	}
	err := unmarshal(data, empty)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return nil, fmt.Errorf("%w: %s is of type %s where %s is meant", errUnfit, wrong.Field, wrong.Value, wrong.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnfit, err)
	}
	return empty, nil
}

// unmarshal turns a decoder's panic into an error: Cilium's does on an ICMP field without a type (pkg/policy/api/icmp.go), which the
// API server's schema would have refused.
func unmarshal(data []byte, into client.Object) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("its decoder failed: %v", reason)
		}
	}()
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}

// Kinds are those whose objects decisions read, but for pods and for the few that are read by name (Surroundings). Those of the kinds that
// companions are made of are read whether daprise made them or not: another's may bear the name of one that daprise would make.
func Kinds() []schema.GroupVersionKind {
	gateway := func(version string) schema.GroupVersion {
		return schema.GroupVersion{Group: groupGateway, Version: version}
	}
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		corev1.SchemeGroupVersion.WithKind(mesh.KindService),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		appsv1.SchemeGroupVersion.WithKind(mesh.KindDeployment),
		appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
		policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
		gateway("v1").WithKind(mesh.KindGateway),
		gateway("v1").WithKind(mesh.KindHTTPRoute),
		gateway("v1").WithKind(mesh.KindGRPCRoute),
		gateway("v1beta1").WithKind("ReferenceGrant"),
		ciliumv2.SchemeGroupVersion.WithKind(policy.KindCNP),
		ciliumv2.SchemeGroupVersion.WithKind(policy.KindCCNP),
		ciliumv2.SchemeGroupVersion.WithKind(kindCIDRGroup),
		ciliumv2.SchemeGroupVersion.WithKind("CiliumLocalRedirectPolicy"),
		networkingv1.SchemeGroupVersion.WithKind(policy.KindKNP),
		{Group: "dapr.io", Version: "v1alpha1", Kind: "Configuration"},
	}
}

// Named is one object.
type Named struct {
	schema.GroupVersionKind
	Name mesh.Name
}

// Surroundings are the objects that say what is said once for a cluster.
func Surroundings(config mesh.Config) []Named {
	configMap := corev1.SchemeGroupVersion.WithKind("ConfigMap")
	return []Named{
		{configMap, mesh.Name{Namespace: config.Cilium.Namespace, Name: ciliumConfig}},
		{configMap, mesh.Name{Namespace: config.Dapr.ControlPlaneNamespace, Name: trustBundle}},
		{configMap, mesh.Name{Namespace: mesh.SystemNamespace, Name: ConfigMap}},
	}
}
