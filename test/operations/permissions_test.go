// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
)

// permissions: of what daprise's ServiceAccount may do, nothing is left that it did not do in the tests of this package, and nothing that
// it tried was refused for want of a permission: the API server's audit log against its roles.
func permissions(t *testing.T) {
	admittedLater := annotatedBefore(t)
	startReplica(t)
	cluster.Eventually(t, admittedLater)
	everythingThere(t)
	namesTaken(t)
	everythingGone(t)
	kubectl(t, "delete", "secret", "-n", system, "daprise-webhook-ca")
	var unused []string
	cluster.Eventually(t, func() error {
		done, refused := permissionsUsed(t)
		if len(refused) > 0 {
			return fmt.Errorf("tried and never granted:\n%s", strings.Join(refused, "\n"))
		}
		unused = slices.DeleteFunc(permissionsGranted(t), func(p string) bool { return slices.Contains(done, p) || kept(done, p) })
		if len(unused) > 0 {
			return fmt.Errorf("granted and never used:\n%s", strings.Join(unused, "\n"))
		}
		return nil
	})
}

// kept says whether a permission is needed though it was not seen in use.
func kept(done []string, p string) bool {
	switch p {
	case "update core/secrets":
		return true // a CA is renewed after eight months
	case "patch core/events", "patch events.k8s.io/events":
		return true // an Event that repeats itself
	}
	// Where the API server cannot stream what there is at the beginning of a watch (up to Kubernetes 1.34), it is listed.
	listed, ok := strings.CutPrefix(p, "list ")
	return ok && slices.Contains(done, "watch "+listed)
}

// annotatedBefore annotates a Gateway while nobody asks daprise, as before it was installed. daprise has it admitted again: then admitted is nil.
func annotatedBefore(t *testing.T) (admitted func() error) {
	t.Helper()
	const ns = "permissions-before"
	kubectl(t, "create", "namespace", ns)
	kubectl(t, "label", "namespace", ns, "daprise.dev/admission=disabled")
	apply(t, in(ns, gateway))
	kubectl(t, "label", "namespace", ns, "daprise.dev/admission-")
	return func() error {
		if id := field(t, `.metadata.labels.daprise\.dev/app-id`, "gateway", "-n", ns, "default-gateway"); id != "ingress" {
			return fmt.Errorf("app ID %q", id)
		}
		return nil
	}
}

const widely = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress, daprise.dev/strategy: deployment, daprise.dev/local-redirect: "true"}}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", daprise.dev/strategy: daemonset, daprise.dev/callers: other, daprise.dev/local-redirect: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: calls, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", dapr.io/app-protocol: grpc}}
spec: {selector: {app: calls}, ports: [{name: grpc, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: NAMESPACE}
spec: {selector: {app: other}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: whoami-v1, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", daprise.dev/service: other, dapr.io/app-id: other}}
spec:
  selector: {matchLabels: {app: other}}
  template: {metadata: {labels: {app: other}}, spec: {containers: [{name: a, image: example.com/a:1}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway}]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: whoami, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls-route, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway}]
  rules: [{backendRefs: [{name: calls, port: 80}]}]
`

// acrossNamespaces is a route from another namespace, for which daprise makes a ReferenceGrant.
const acrossNamespaces = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: across, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway, namespace: permissions}]
  rules: [{matches: [{path: {type: PathPrefix, value: /across}}], backendRefs: [{name: whoami, port: 80}]}]
`

const across = "permissions-across"

func everythingThere(t *testing.T) {
	t.Helper()
	const ns = "permissions"
	for _, name := range []string{ns, across} {
		kubectl(t, "create", "namespace", name)
		kubectl(t, "label", "namespace", name, "daprise.dev/policies=generate")
	}
	// The routes before what they lead to: they join, and are admitted anew.
	apply(t, in(ns, widely))
	apply(t, in(across, service), in(across, acrossNamespaces))
	cluster.Eventually(t, func() error {
		for _, route := range [][]string{{"httproute", "-n", ns, "whoami-route"}, {"httproute", "-n", across, "across"}, {"grpcroute", "-n", ns, "calls-route"}} {
			if backends := field(t, ".spec.rules[*].backendRefs[*].name", route...); backends != "ingress-dapr" {
				return fmt.Errorf("%v leads to %s", route, backends)
			}
		}
		return nil
	})
}

// namesTaken makes what daprise made look like somebody else's for a while, kind by kind: daprise looks whose it is only where a name is taken.
func namesTaken(t *testing.T) {
	t.Helper()
	const ours = "app.kubernetes.io/managed-by"
	for kind, used := range map[string]string{
		"serviceaccounts":             permission("get", "", "serviceaccounts"),
		"poddisruptionbudgets":        permission("get", "policy", "poddisruptionbudgets"),
		"configurations.dapr.io":      permission("get", "dapr.io", "configurations"),
		"ciliumnetworkpolicies":       permission("get", "cilium.io", "ciliumnetworkpolicies"),
		"ciliumlocalredirectpolicies": permission("get", "cilium.io", "ciliumlocalredirectpolicies"),
		"referencegrants":             permission("get", "gateway.networking.k8s.io", "referencegrants"),
	} {
		kubectl(t, "label", kind, "-n", "permissions", "-l", ours+"=daprise", ours+"-")
		cluster.Eventually(t, func() error {
			if done, _ := permissionsUsed(t); !slices.Contains(done, used) {
				return fmt.Errorf("not used: %s", used)
			}
			return nil
		})
		kubectl(t, "label", kind, "-n", "permissions", "-l", "app.kubernetes.io/name=dapr-shared", ours+"=daprise")
	}
}

func everythingGone(t *testing.T) {
	t.Helper()
	kubectl(t, "annotate", "-n", "permissions", "gateway/default-gateway", "service/whoami", "service/calls", "deployment/whoami-v1", "daprise.dev/enabled-")
	kubectl(t, "annotate", "-n", across, "service/whoami", "daprise.dev/enabled-")
	cluster.Eventually(t, func() error {
		const kinds = "deployments,daemonsets,services,serviceaccounts,poddisruptionbudgets,configurations.dapr.io,ciliumnetworkpolicies,ciliumlocalredirectpolicies,referencegrants"
		if left := kubectl(t, "get", kinds, "-A", "-l", "app.kubernetes.io/managed-by=daprise", "-o", "name"); strings.Contains(left, "/other-dapr") || strings.Contains(left, "/calls-dapr") {
			return fmt.Errorf("left:\n%s", left)
		}
		return nil
	})
}

// permissionsGranted are all verbs on resources of the roles bound to daprise's ServiceAccount, sorted.
func permissionsGranted(t *testing.T) []string {
	t.Helper()
	var cluster rbacv1.ClusterRoleList
	var roles rbacv1.RoleList
	for _, list := range []client.ObjectList{&cluster, &roles} {
		if err := shared.Client.List(t.Context(), list, client.MatchingLabels{"app.kubernetes.io/part-of": "daprise"}); err != nil {
			t.Fatal(err)
		}
	}
	var rules []rbacv1.PolicyRule
	for _, role := range cluster.Items {
		// That one is for people.
		if role.Name != "daprise-enrol" {
			rules = append(rules, role.Rules...)
		}
	}
	for _, role := range roles.Items {
		rules = append(rules, role.Rules...)
	}
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, permission(verb, group, resource))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// permissionsUsed are those that were used, and those that RBAC refused whenever they were tried: an API server that has just started knows
// no roles yet, and refuses for a moment what it grants.
func permissionsUsed(t *testing.T) (used, refused []string) {
	t.Helper()
	events, err := shared.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.User.Username != "system:serviceaccount:"+system+":"+account || e.ObjectRef.Resource == "" {
			continue
		}
		resource := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			resource += "/" + e.ObjectRef.Subresource
		}
		if e.Annotations["authorization.k8s.io/decision"] == "forbid" {
			refused = append(refused, permission(e.Verb, e.ObjectRef.APIGroup, resource))
			continue
		}
		used = append(used, permission(e.Verb, e.ObjectRef.APIGroup, resource))
		// Applying what is not there needs the permission to create it.
		if e.Verb == "patch" && e.ResponseStatus.Code == http.StatusCreated {
			used = append(used, permission("create", e.ObjectRef.APIGroup, resource))
		}
	}
	slices.Sort(used)
	slices.Sort(refused)
	used = slices.Compact(used)
	refused = slices.DeleteFunc(slices.Compact(refused), func(p string) bool { return slices.Contains(used, p) })
	return used, refused
}

func permission(verb, group, resource string) string {
	return fmt.Sprintf("%s %s/%s", verb, cmp.Or(group, "core"), resource)
}
