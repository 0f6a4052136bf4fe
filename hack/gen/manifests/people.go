// SPDX-License-Identifier: Apache-2.0

package manifests

import rbacv1 "k8s.io/api/rbac/v1"

// roleEnrol is for people and pipelines, to be bound in their namespaces: nothing binds it here.
const roleEnrol = "daprise-enrol"

// people is what whoever enrols apps needs: to annotate, to write routes, and to read what daprise judges by, which `daprise check`
// reads too. RBAC cannot tell annotations from the rest of an object: who may change a Service may enrol it.
func people() *rbacv1.ClusterRole {
	annotate := append(reads(), "update", "patch")
	return clusterRole(roleEnrol, []rbacv1.PolicyRule{
		allow("", annotate, "services"),
		allow("apps", annotate, "deployments"),
		allow("gateway.networking.k8s.io", annotate, "gateways"),
		allow("gateway.networking.k8s.io", append(writes(), "update"), "httproutes", "grpcroutes"),
		allow("gateway.networking.k8s.io", reads(), "referencegrants"),
		allow("networking.k8s.io", reads(), "networkpolicies"),
		allow("cilium.io", reads(), "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"),
		allow("", reads(), "namespaces"),
		// Why a companion is held or a route refused.
		allow("", reads(), "events", "pods"),
	})
}
