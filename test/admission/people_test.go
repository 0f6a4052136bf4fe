// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

const enrolBinding = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: may-enrol, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: daprise-enrol}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
`

// TestPeopleWhoMayEnrol: with ClusterRole daprise-enrol bound in a namespace somebody enrols what is there and routes to it, and may do nothing else: not
// decide how strict the namespace is, write the policies that are judged, read a Secret, run a pod, or touch a companion or daprise.
func TestPeopleWhoMayEnrol(t *testing.T) {
	const ns = "people"
	namespace(t, ns)
	apply(t, in(ns, enrolBinding), in(ns, plainService), in(ns, policies),
		strings.ReplaceAll(in(ns, gateway), `daprise.dev/enabled: "true", `, ""), in(ns, deployment))
	as := []string{"--as=jane", "-n", ns}
	kubectl(t, append([]string{"annotate", "gateway/default-gateway", "service/whoami", "daprise.dev/enabled=true"}, as...)...)
	ready(t, ns)
	if _, err := shared.KubectlIn(t.Context(), []byte(in(ns, route)), append([]string{"apply", "-f", "-"}, as...)...); err != nil {
		t.Fatal(err)
	}
	if have := rules(t, ns, "whoami-route"); !strings.Contains(have, rewritten) {
		t.Errorf("not rewritten: %s", have)
	}
	for question, want := range map[string]string{
		"patch deployments.apps":                                             "yes",
		"delete httproutes.gateway.networking.k8s.io":                        "yes",
		"create grpcroutes.gateway.networking.k8s.io":                        "yes",
		"list ciliumnetworkpolicies.cilium.io":                               "yes",
		"list events":                                                        "yes",
		"create services":                                                    "no",
		"delete services":                                                    "no",
		"create deployments.apps":                                            "no",
		"patch services --subresource=status":                                "no",
		"create ciliumnetworkpolicies.cilium.io":                             "no",
		"patch ciliumnetworkpolicies.cilium.io":                              "no",
		"delete ciliumnetworkpolicies.cilium.io":                             "no",
		"create networkpolicies.networking.k8s.io":                           "no",
		"create referencegrants.gateway.networking.k8s.io":                   "no",
		"get secrets":                                                        "no",
		"create pods":                                                        "no",
		"create pods --subresource=exec":                                     "no",
		"patch namespaces":                                                   "no",
		"create serviceaccounts --subresource=token":                         "no",
		"patch validatingwebhookconfigurations.admissionregistration.k8s.io": "no",
	} {
		// A "no" is exit code 1.
		out, err := shared.Kubectl(t.Context(), append(append([]string{"auth", "can-i"}, strings.Fields(question)...), as...)...)
		if said := strings.TrimSpace(out.Stdout); said != want {
			t.Errorf("%s: %s (%v), want %s", question, said, err, want)
		}
	}
	for _, elsewhere := range []string{"default", "daprise-system"} {
		out, _ := shared.Kubectl(t.Context(), "auth", "can-i", "patch", "services", "--as=jane", "-n", elsewhere)
		if said := strings.TrimSpace(out.Stdout); said != "no" {
			t.Errorf("in %s: %s", elsewhere, said)
		}
	}
	// A companion's own Service is a Service, too: daprise puts back what she writes there.
	const path = "{.spec.selector}"
	before := kubectl(t, "get", "-n", ns, "service/whoami-dapr", "-o", "jsonpath="+path)
	kubectl(t, append([]string{"patch", "service/whoami-dapr", "--type=merge", "-p", `{"spec":{"selector":{"daprise.dev/companion":"other"}}}`}, as...)...)
	eventuallyField(t, ns, "service/whoami-dapr", path, before)
}

// eventuallyField waits until a field of an object is as wanted.
func eventuallyField(t *testing.T, ns, object, path, want string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		if have := kubectl(t, "get", "-n", ns, object, "-o", "jsonpath="+path); have != want {
			return fmt.Errorf("%s of %s is %q, want %q", path, object, have, want)
		}
		return nil
	})
}
