// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// matters says whether a change is one to anything that decisions read. Others write status all the time: Cilium the state of policies
// and routes, Kubernetes that of Deployments, and we our conditions.
func matters(c change) bool {
	if c.old == nil || c.new == nil {
		return true
	}
	if c.old.GetUID() != c.new.GetUID() || (c.old.GetDeletionTimestamp() == nil) != (c.new.GetDeletionTimestamp() == nil) {
		return true
	}
	if slices.Contains(ownedKinds(), c.kind) {
		return true
	}
	if !maps.Equal(c.old.GetLabels(), c.new.GetLabels()) || !maps.Equal(c.old.GetAnnotations(), c.new.GetAnnotations()) {
		return true
	}
	switch c.kind {
	case kindService:
		return specsDiffer[*corev1.Service](c, func(s *corev1.Service) any { return s.Spec })
	case kindDeployment:
		return specsDiffer[*appsv1.Deployment](c, func(d *appsv1.Deployment) any { return d.Spec })
	case kindGateway:
		return specsDiffer[*gatewayv1.Gateway](c, func(g *gatewayv1.Gateway) any { return g.Spec })
	case kindHTTPRoute, kindGRPCRoute, kindReferenceGrant, kindCiliumPolicy, kindClusterwidePolicy, kindNetworkPolicy, kindCIDRGroup, kindEarlierGroup, kindCiliumAgent,
		kindConfiguration:
		// The API server counts a generation for each change that is not to status.
		return c.old.GetGeneration() != c.new.GetGeneration()
	case kindNamespace, kindHolder:
		return false
	default:
		return true
	}
}

func specsDiffer[T client.Object](c change, spec func(T) any) bool {
	old, oldOK := c.old.(T)
	newer, newOK := c.new.(T)
	return !oldOK || !newOK || !equality.Semantic.DeepEqual(spec(old), spec(newer))
}
