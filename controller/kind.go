// SPDX-License-Identifier: Apache-2.0

package controller

import (
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

// kind names one watched set of objects: a kind of the API, as far as one cache holds it.
type kind string

// What users and the platform write.
const (
	kindNamespace         kind = "Namespace"
	kindService           kind = "Service"
	kindDeployment        kind = "Deployment"
	kindGateway           kind = "Gateway"
	kindHTTPRoute         kind = "HTTPRoute"
	kindGRPCRoute         kind = "GRPCRoute"
	kindReferenceGrant    kind = "ReferenceGrant"
	kindCiliumPolicy      kind = "CiliumNetworkPolicy"
	kindClusterwidePolicy kind = "CiliumClusterwideNetworkPolicy"
	kindNetworkPolicy     kind = "NetworkPolicy"
	kindCIDRGroup         kind = "CiliumCIDRGroup"
	kindEarlierGroup      kind = "CiliumCIDRGroup v2alpha1"
	kindConfigMap         kind = "ConfigMap"
	kindConfiguration     kind = "Configuration"
	kindCiliumAgent       kind = "DaemonSet"
	// Of these two nothing is read from the caches: their events tell when to look at pods (heardPods).
	kindHolder    kind = "Pod"
	kindEndpoints kind = "EndpointSlice"
)

// What daprise made. Its policies are among all others.
const (
	ownedDeployment     kind = "owned Deployment"
	ownedDaemonSet      kind = "owned DaemonSet"
	ownedService        kind = "owned Service"
	ownedServiceAccount kind = "owned ServiceAccount"
	ownedBudget         kind = "owned PodDisruptionBudget"
	ownedConfiguration  kind = "owned Configuration"
	ownedRedirect       kind = "owned CiliumLocalRedirectPolicy"
	ownedGrant          kind = "owned ReferenceGrant"
)

// ownedKinds are those of what daprise made.
func ownedKinds() []kind {
	return []kind{
		ownedServiceAccount, ownedConfiguration, ownedService, ownedBudget, ownedRedirect, ownedGrant, ownedDeployment, ownedDaemonSet,
	}
}

// facts of a kind: its type, and the selector that both its cache and a live list apply.
type facts struct {
	gvk      schema.GroupVersionKind
	object   client.Object
	list     client.ObjectList
	selector labels.Selector
}

// kindsWatched is every kind that the caches hold. Those of Gateway API, Cilium and Dapr may be missing from a cluster.
func kindsWatched() map[kind]facts {
	enrolled, owned, all := enrolledSelector(), ownedSelector(), labels.Everything()
	return map[kind]facts{
		kindNamespace:         {corev1.SchemeGroupVersion.WithKind("Namespace"), &corev1.Namespace{}, &corev1.NamespaceList{}, all},
		kindService:           {corev1.SchemeGroupVersion.WithKind("Service"), &corev1.Service{}, &corev1.ServiceList{}, enrolled},
		kindDeployment:        {appsv1.SchemeGroupVersion.WithKind("Deployment"), &appsv1.Deployment{}, &appsv1.DeploymentList{}, enrolled},
		kindGateway:           {gatewayAPI("v1", "Gateway"), &gatewayv1.Gateway{}, &gatewayv1.GatewayList{}, enrolled},
		kindHTTPRoute:         {gatewayAPI("v1", "HTTPRoute"), &gatewayv1.HTTPRoute{}, &gatewayv1.HTTPRouteList{}, all},
		kindGRPCRoute:         {gatewayAPI("v1", "GRPCRoute"), &gatewayv1.GRPCRoute{}, &gatewayv1.GRPCRouteList{}, all},
		kindReferenceGrant:    {gatewayAPI("v1beta1", "ReferenceGrant"), &gatewayv1beta1.ReferenceGrant{}, &gatewayv1beta1.ReferenceGrantList{}, all},
		kindCiliumPolicy:      {ciliumv2.SchemeGroupVersion.WithKind("CiliumNetworkPolicy"), &ciliumv2.CiliumNetworkPolicy{}, &ciliumv2.CiliumNetworkPolicyList{}, all},
		kindClusterwidePolicy: {ciliumv2.SchemeGroupVersion.WithKind("CiliumClusterwideNetworkPolicy"), &ciliumv2.CiliumClusterwideNetworkPolicy{}, &ciliumv2.CiliumClusterwideNetworkPolicyList{}, all},
		kindNetworkPolicy:     {networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), &networkingv1.NetworkPolicy{}, &networkingv1.NetworkPolicyList{}, all},
		kindCIDRGroup:         {ciliumv2.SchemeGroupVersion.WithKind("CiliumCIDRGroup"), &ciliumv2.CiliumCIDRGroup{}, &ciliumv2.CiliumCIDRGroupList{}, all},
		kindEarlierGroup:      {earlierGroup(), untyped(earlierGroup()), untypedList(earlierGroup()), all},
		kindConfigMap:         {corev1.SchemeGroupVersion.WithKind("ConfigMap"), &corev1.ConfigMap{}, &corev1.ConfigMapList{}, all},
		kindCiliumAgent:       {appsv1.SchemeGroupVersion.WithKind("DaemonSet"), &appsv1.DaemonSet{}, &appsv1.DaemonSetList{}, all},
		kindConfiguration:     {daprConfiguration(), untyped(daprConfiguration()), untypedList(daprConfiguration()), othersSelector()},
		kindHolder:            {corev1.SchemeGroupVersion.WithKind("Pod"), metadataOf(podKind()), metadataListOf(podKind()), holderSelector()},
		kindEndpoints:         {endpointsKind(), metadataOf(endpointsKind()), metadataListOf(endpointsKind()), enrolled},
		ownedDeployment:       {appsv1.SchemeGroupVersion.WithKind("Deployment"), &appsv1.Deployment{}, &appsv1.DeploymentList{}, owned},
		ownedDaemonSet:        {appsv1.SchemeGroupVersion.WithKind("DaemonSet"), &appsv1.DaemonSet{}, &appsv1.DaemonSetList{}, owned},
		ownedService:          {corev1.SchemeGroupVersion.WithKind("Service"), &corev1.Service{}, &corev1.ServiceList{}, owned},
		ownedServiceAccount:   {corev1.SchemeGroupVersion.WithKind("ServiceAccount"), &corev1.ServiceAccount{}, &corev1.ServiceAccountList{}, owned},
		ownedBudget:           {policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), &policyv1.PodDisruptionBudget{}, &policyv1.PodDisruptionBudgetList{}, owned},
		ownedConfiguration:    {daprConfiguration(), untyped(daprConfiguration()), untypedList(daprConfiguration()), owned},
		ownedRedirect:         {ciliumv2.SchemeGroupVersion.WithKind("CiliumLocalRedirectPolicy"), &ciliumv2.CiliumLocalRedirectPolicy{}, &ciliumv2.CiliumLocalRedirectPolicyList{}, owned},
		ownedGrant:            {gatewayAPI("v1beta1", "ReferenceGrant"), &gatewayv1beta1.ReferenceGrant{}, &gatewayv1beta1.ReferenceGrantList{}, owned},
	}
}

// gatewayAPI is a kind of Gateway API.
func gatewayAPI(version, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: version, Kind: kind}
}

// daprConfiguration is Dapr's kind for the settings of a daprd (dapr charts/dapr/crds/configuration.yaml).
func daprConfiguration() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "dapr.io", Version: "v1alpha1", Kind: "Configuration"}
}

func untyped(gvk schema.GroupVersionKind) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvk)
	return object
}

func untypedList(gvk schema.GroupVersionKind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	return list
}

// enrolledSelector selects what admission labelled as enrolled.
func enrolledSelector() labels.Selector {
	return labels.NewSelector().Add(requirement(mesh.LabelAppID, selection.Exists))
}

// ownedSelector selects what daprise made.
func ownedSelector() labels.Selector {
	return labels.SelectorFromSet(labels.Set{mesh.LabelManagedBy: mesh.ManagedByDaprise})
}

// othersSelector selects what daprise did not make.
func othersSelector() labels.Selector {
	return labels.NewSelector().Add(requirement(mesh.LabelManagedBy, selection.NotEquals, mesh.ManagedByDaprise))
}

// requirement of a constant key: NewRequirement fails only on keys and values that are none.
func requirement(key string, op selection.Operator, values ...string) labels.Requirement {
	r, err := labels.NewRequirement(key, op, values)
	if err != nil {
		panic(err)
	}
	return *r
}
