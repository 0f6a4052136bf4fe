// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// forms are how the kinds are packed of which there are many: what daprise made, policies, routes, and what tells of pods.
func forms(kinds map[kind]facts) map[kind]form {
	shared := newHeads()
	of := func(k kind, slim func(client.Object)) form {
		return form{gvk: kinds[k].gvk, object: kinds[k].object, heads: shared, slim: slim}
	}
	all := map[kind]form{}
	for _, k := range ownedKinds() {
		all[k] = of(k, onlyOwn)
	}
	for _, k := range []kind{kindHTTPRoute, kindGRPCRoute} {
		route := of(k, onlySpec)
		route.derive = func(object client.Object) any {
			r := routeKept(object)
			return &r
		}
		all[k] = route
	}
	// An empty list of peers says another thing than none, which Cilium's types do not write out.
	policy := of(kindCiliumPolicy, onlySpec)
	policy.raw = true
	all[kindCiliumPolicy] = policy
	for _, k := range []kind{kindHolder, kindEndpoints} {
		all[k] = of(k, onlyOwners)
	}
	return all
}

// onlyOwn keeps of an object that daprise made what it is compared by, and of workloads how they are.
func onlyOwn(object client.Object) {
	object.SetManagedFields(onlyOwnFields(object.GetManagedFields()))
	switch o := object.(type) {
	case *corev1.Service:
		o.Status = corev1.ServiceStatus{}
	case *policyv1.PodDisruptionBudget:
		o.Status = policyv1.PodDisruptionBudgetStatus{}
	case *appsv1.Deployment, *appsv1.DaemonSet:
		// Whether it is ready.
	}
}

// onlyOwnFields keeps of managedFields which fields daprise applied: what an object is to lose can be told from nothing else. Where it applied
// none and others manage the object, that is kept.
func onlyOwnFields(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	for _, e := range entries {
		if e.Manager == mesh.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" {
			e.Time = nil
			return []metav1.ManagedFieldsEntry{e}
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return []metav1.ManagedFieldsEntry{{Manager: entries[0].Manager, Operation: entries[0].Operation}}
}

// onlySpec drops the status, into which Cilium writes the state of every node for a policy, and managedFields.
func onlySpec(object client.Object) {
	object.SetManagedFields(nil)
	switch o := object.(type) {
	case *gatewayv1.HTTPRoute:
		o.Status = gatewayv1.HTTPRouteStatus{}
	case *gatewayv1.GRPCRoute:
		o.Status = gatewayv1.GRPCRouteStatus{}
	case *unstructured.Unstructured:
		delete(o.Object, "status")
	}
}

// isWorkload says that an object is a companion's workload, packed or not.
func isWorkload(object client.Object) bool {
	if p, ok := object.(*packed); ok {
		return slices.Contains([]string{"Deployment", "DaemonSet"}, p.form.gvk.Kind) && p.form.gvk.Group == appsv1.GroupName
	}
	return companion.IsWorkload(object)
}
