// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// Names of roles.
const (
	roleServer = mesh.WebhookService
	// roleTrust lets the server keep a CA of its own and write it into the webhook configurations: only without cert-manager.
	roleTrust  = "daprise-webhook-trust"
	roleCilium = "daprise-cilium-config"
	lease      = mesh.WebhookService
	secret     = "daprise-webhook-ca"
)

// rbac is all that daprise may do. No wildcards, and Secrets only by name in its own namespace.
func rbac(config mesh.Config) []runtime.Object {
	return []runtime.Object{
		&corev1.ServiceAccount{
			TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta:                   meta(mesh.WebhookService),
			AutomountServiceAccountToken: new(false),
		},
		clusterRole(roleServer, serverRules()), clusterRoleBinding(roleServer),
		clusterRole(roleTrust, trustRules()), clusterRoleBinding(roleTrust),
		role(meta(roleServer), leaseRules()), roleBinding(meta(roleServer)),
		role(meta(roleTrust), secretRules()), roleBinding(meta(roleTrust)),
		role(inNamespace(config.Cilium.Namespace), ciliumRules()), roleBinding(inNamespace(config.Cilium.Namespace)),
		people(),
	}
}

func inNamespace(namespace string) metav1.ObjectMeta {
	m := meta(roleCilium)
	m.Namespace = namespace
	return m
}

// Verbs.
func lists() []string  { return []string{"list", "watch"} }
func reads() []string  { return []string{"get", "list", "watch"} }
func writes() []string { return []string{"get", "list", "watch", "create", "patch", "delete"} }

func serverRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		// What decisions read.
		allow("", reads(), "namespaces"),
		allow("networking.k8s.io", lists(), "networkpolicies"),
		allow("cilium.io", lists(), "ciliumclusterwidenetworkpolicies", "ciliumcidrgroups"),
		// Whether a companion still has pods, before its policies go, and which pods it must reach; when to look again.
		allow("", []string{"list", "watch"}, "pods"),
		allow("discovery.k8s.io", []string{"list", "watch"}, "endpointslices"),
		// Dapr's public trust bundle, by name, wherever Dapr is: its namespace need not exist yet.
		allowNamed("", reads(), []string{"dapr-trust-bundle"}, "configmaps"),
		// What companions are made of. The policy daprise-powers narrows this to objects of ours.
		allow("", writes(), "services", "serviceaccounts"),
		allow("apps", writes(), "deployments", "daemonsets"),
		allow("policy", writes(), "poddisruptionbudgets"),
		allow("dapr.io", writes(), "configurations"),
		allow("cilium.io", writes(), "ciliumnetworkpolicies", "ciliumlocalredirectpolicies"),
		allow("gateway.networking.k8s.io", writes(), "referencegrants"),
		// Touching a route, or a Gateway that was annotated before there was a daprise, so that it is admitted again; what it specifies is
		// written by admission alone.
		allow("gateway.networking.k8s.io", append(reads(), "patch"), "httproutes", "grpcroutes", "gateways"),
		// Conditions and Events.
		allow("", []string{"patch"}, "services/status"),
		allow("gateway.networking.k8s.io", []string{"patch"}, "gateways/status"),
		allow("events.k8s.io", []string{"create", "patch"}, "events"),
		allow("", []string{"create", "patch"}, "events"),
		// Whether the API server trusts the certificate that is served.
		allowNamed("admissionregistration.k8s.io", lists(), []string{hooks.Name}, "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
	}
}

func trustRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		allowNamed("admissionregistration.k8s.io", []string{"patch"}, []string{hooks.Name}, "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
	}
}

// secretRules: creation cannot be limited to a name.
func secretRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		allow("", []string{"create"}, "secrets"),
		allowNamed("", append(lists(), "update"), []string{secret}, "secrets"),
	}
}

func leaseRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		allow("coordination.k8s.io", []string{"create"}, "leases"),
		allowNamed("coordination.k8s.io", []string{"get", "update"}, []string{lease}, "leases"),
	}
}

func ciliumRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{allowNamed("", reads(), []string{"cilium-config"}, "configmaps")}
}

func allow(group string, verbs []string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
}

func allowNamed(group string, verbs, names []string, resources ...string) rbacv1.PolicyRule {
	r := allow(group, verbs, resources...)
	r.ResourceNames = names
	return r
}

func clusterRole(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{TypeMeta: rbacType("ClusterRole"), ObjectMeta: clusterMeta(name), Rules: rules}
}

func clusterRoleBinding(name string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: clusterMeta(name), Subjects: subjects(),
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}
}

func role(m metav1.ObjectMeta, rules []rbacv1.PolicyRule) *rbacv1.Role {
	return &rbacv1.Role{TypeMeta: rbacType("Role"), ObjectMeta: m, Rules: rules}
}

func roleBinding(m metav1.ObjectMeta) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta: rbacType("RoleBinding"), ObjectMeta: m, Subjects: subjects(),
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: m.Name},
	}
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func subjects() []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: mesh.SystemNamespace, Name: mesh.WebhookService}}
}
