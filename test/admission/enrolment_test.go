// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/test/cluster"
)

// gone fails while objects of companions are left in a namespace.
func gone(t *testing.T, ns string) error {
	t.Helper()
	const kinds = "serviceaccounts,deployments,daemonsets,services,poddisruptionbudgets,configurations.dapr.io,ciliumnetworkpolicies"
	if out := kubectl(t, "get", "-n", ns, kinds, "-l", "app.kubernetes.io/managed-by=daprise", "-o", "name"); strings.TrimSpace(out) != "" {
		return fmt.Errorf("companions' objects are left: %s", out)
	}
	return nil
}

// TestBadInput: wrong values are refused with the field, what was found, what is allowed and the nearest key.
func TestBadInput(t *testing.T) {
	const ns = "bad"
	namespace(t, ns)
	for _, test := range []struct {
		name, old, new string
		wants          []string
	}{
		{"unknown key", `daprise.dev/enabled: "true"`, `daprise.dev/enabeld: "true"`, []string{"daprise.dev/enabeld", "daprise.dev/enabled", "DPR301"}},
		{"bad value", `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "yes"`, []string{`"yes"`, "DPR302"}},
		{"replicas", `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "true", daprise.dev/replicas: "101"`, []string{`"101"`, "1 to 100", "DPR302"}},
		{"a key that names a Secret", `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "true", dapr.io/api-token-secret: theirs`, []string{"dapr.io/api-token-secret", "DPR307"}},
		{"an image", `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "true", dapr.io/sidecar-image: "evil.example/daprd:1"`, []string{"dapr.io/sidecar-image", "DPR3"}},
		{"no port", `ports: [{name: http, port: 80, targetPort: 8080}]`, `ports: [{name: a, port: 80}, {name: b, port: 81}]`, []string{"DPR303"}},
		{"no selector", `selector: {app: whoami}`, `selector: {}`, []string{"DPR308"}},
		{"external name", `selector: {app: whoami}`, "type: ExternalName\n  externalName: evil.example", []string{"DPR308"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			manifest := strings.Replace(in(ns, service), test.old, test.new, 1)
			text := refused(t, test.wants, manifest)
			if exists(t, ns, "service", "whoami") {
				t.Errorf("refused, and yet stored:\n%s", text)
			}
		})
	}
}

// TestAppIDTaken: the second enrolment of an app ID is refused and names the first.
func TestAppIDTaken(t *testing.T) {
	const ns = "taken"
	namespace(t, ns)
	apply(t, in(ns, service))
	other := strings.ReplaceAll(in(ns, service), "name: whoami", "name: other")
	refused(t, []string{"DPR304", "whoami"}, strings.ReplaceAll(other, `{daprise.dev/enabled: "true"}`, `{daprise.dev/enabled: "true", dapr.io/app-id: whoami}`))
	// An enrolled Service may not be turned into something that aims elsewhere.
	refused(t, []string{"DPR308"}, strings.Replace(in(ns, service), "selector: {app: whoami}", "type: ExternalName\n  externalName: evil.example", 1))
}

// TestForeignObject: a companion's name that somebody else uses is reported, and theirs is not touched.
func TestForeignObject(t *testing.T) {
	const ns = "foreign"
	namespace(t, ns)
	const theirs = `apiVersion: v1
kind: Service
metadata: {name: whoami-dapr, namespace: NAMESPACE, labels: {mine: "true"}}
spec: {selector: {app: mine}, ports: [{port: 50002}]}
`
	apply(t, in(ns, theirs))
	before := object(t, ns, "service", "whoami-dapr")
	out, err := try(t, in(ns, service))
	if err == nil {
		cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Companion=False Conflict") })
	} else if !strings.Contains(out, "DPR305") {
		t.Fatalf("refused, but not with DPR305:\n%s", out)
	}
	if diff := cmp.Diff(before.Object, object(t, ns, "service", "whoami-dapr").Object); diff != "" {
		t.Errorf("somebody else's object was touched (-want +got):\n%s", diff)
	}
}

// TestLeavingAndDeletion: companions are gone after un-annotating and after deletion.
func TestLeavingAndDeletion(t *testing.T) {
	t.Run("un-annotated", func(t *testing.T) {
		const ns = "leave"
		mesh(t, ns)
		kubectl(t, "annotate", "-n", ns, "service/whoami", "gateway/default-gateway", "daprise.dev/enabled-")
		cluster.Eventually(t, func() error { return gone(t, ns) })
		if have := rules(t, ns, "whoami-route"); strings.Contains(have, "invoke") {
			t.Errorf("the route is not restored: %s", have)
		}
		if labels := object(t, ns, "service", "whoami").GetLabels(); len(labels) != 0 {
			t.Errorf("labels are left: %v", labels)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		const ns = "delete"
		mesh(t, ns)
		kubectl(t, "delete", "-n", ns, "service/whoami", "gateway/default-gateway", "--wait=false")
		cluster.Eventually(t, func() error { return gone(t, ns) })
	})
}

// TestCompanionService: nobody reaches a companion past the checks.
func TestCompanionService(t *testing.T) {
	const ns = "past"
	mesh(t, ns)
	for name, backend := range map[string]string{
		"the ingress companion, without a rewrite": "name: ingress-dapr, port: 3500",
		"the app's companion":                      "name: whoami-dapr, port: 50002",
		"the app's API":                            "name: whoami-dapr-api, port: 3500",
	} {
		t.Run(name, func(t *testing.T) {
			manifest := strings.ReplaceAll(strings.Replace(in(ns, route), "name: whoami, port: 80", backend, 1), "whoami-route", "sly-route")
			refused(t, []string{"HTTPRoute " + ns + "/sly-route refused", "DPR208"}, manifest)
		})
	}
	t.Run("by hand, as the seed does", func(t *testing.T) {
		hand := strings.ReplaceAll(in(ns, route), "whoami-route", "hand-route")
		hand = strings.Replace(hand, "backendRefs: [{name: whoami, port: 80}]", `filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/whoami.`+ns+`/method//}}}]
    backendRefs: [{name: ingress-dapr, port: 3500}]`, 1)
		apply(t, hand)
		have := rules(t, ns, "hand-route")
		for _, want := range []string{rewritten + ns + "/method//", "dapr-app-id"} {
			if !strings.Contains(have, want) {
				t.Errorf("%q is missing in %s", want, have)
			}
		}
	})
}
