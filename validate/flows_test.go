// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// broken is one flow of the design, the policies that stop it alone, and what is found then.
type broken struct {
	policies []string
	// route and enrolment are the codes found of a route and of the enrolment of the companion that lacks the flow.
	route, enrolment []string
	kind             string
}

// brokenFlows are F1 to F6. F4 is let in and not asked for (docs/adr/0002), and so are scrapers (F6), which are outside the isolated set.
func brokenFlows() map[string]broken {
	closedToGateway := strings.Replace(allowIngress, "fromEntities: [ingress]", "fromEntities: [none]", 1)
	return map[string]broken{
		"F1": {policies: []string{allowWhoami, closedToGateway}, route: []string{"DPR102"}, enrolment: []string{"DPR102"}, kind: "Gateway"},
		"F2": {policies: []string{quarantine, allowIngress}, route: []string{"DPR102"}, kind: "Service", enrolment: []string{"DPR102"}},
		"F3": {policies: []string{allowWhoami, allowIngress, closePods}, route: []string{"DPR102"}, enrolment: []string{"DPR102"}, kind: "Service"},
		"F4": {policies: []string{allowWhoami, allowIngress, byCompanionOnly}, kind: "Service"},
		"F5": {policies: []string{allowWhoami, allowIngress, closeDNS}, route: []string{"DPR102"}, enrolment: []string{"DPR102"}, kind: "Service"},
		"F6": {policies: []string{allowWhoami, allowIngress, byCompanionOnly}, kind: "Service"},
	}
}

const (
	// byCompanionOnly leaves the app's pods to their companion.
	byCompanionOnly = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: by-companion, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress: [{fromEndpoints: [{matchLabels: {daprise.dev/companion: whoami}}]}]
`
	closeDNS = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: no-dns, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  enableDefaultDeny: {egress: false}
  egressDeny: [{toPorts: [{ports: [{port: "53", protocol: UDP}]}]}]
`
)

// TestEveryFlowOfARouteInEveryMode: a route whose companions lack a flow is refused in enforce and strict, warned of in warn, and told in audit.
func TestEveryFlowOfARouteInEveryMode(t *testing.T) {
	for name, b := range brokenFlows() {
		for mode, severity := range map[string]mesh.Severity{"audit": mesh.Audit, "warn": mesh.Warn, "enforce": mesh.Deny, "strict": mesh.Deny} {
			t.Run(name+" in "+mode, func(t *testing.T) {
				view := scenario(withPods, scraped, func(v *mesh.View) { v.Namespaces["default"][mesh.LabelCoverage] = mode })
				object := mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"}
				findings := validate.ApplyModes(view, validate.Coverage(policy.World{View: view, Set: sets(t, b.policies...)}, object, view.Routes))
				holds(t, findings, b.route, severity)
			})
		}
	}
}

// TestEveryFlowOfAnEnrolmentInEveryMode: the enrolment of a companion that lacks a flow is refused in strict alone, since Services come before
// policies; in enforce and warn it is warned of.
func TestEveryFlowOfAnEnrolmentInEveryMode(t *testing.T) {
	for name, b := range brokenFlows() {
		for mode, severity := range map[string]mesh.Severity{"audit": mesh.Audit, "warn": mesh.Warn, "enforce": mesh.Warn, "strict": mesh.Deny} {
			t.Run(name+" in "+mode, func(t *testing.T) {
				w := enrolmentWorld(t, b.policies...)
				w.View.Namespaces["default"] = map[string]string{mesh.LabelCoverage: mode}
				w.View.Pods = []mesh.PodSet{{Namespace: "default", Name: "whoami-1", Labels: map[string]string{"app": "whoami"}}}
				scraped(w.View)
				object := swap(t, enrolledService, `"true"`, `"true", daprise.dev/callers: ingress`)
				if b.kind == "Gateway" {
					object = enrolledGateway
				}
				findings, err := validate.Enrolment(w, validate.EnrolmentWrite{Kind: b.kind, Object: jsonOf(t, object)})
				if err != nil {
					t.Fatal(err)
				}
				// That the app's pods are open past their companion is another matter.
				findings = slices.DeleteFunc(findings, func(f mesh.Finding) bool { return f.Code == mesh.CodeAppReachable })
				holds(t, validate.ApplyModes(w.View, findings), b.enrolment, severity)
			})
		}
	}
}

// scraped has a scraper that policies do not let in.
func scraped(v *mesh.View) {
	v.Config = mesh.DefaultConfig()
	v.Config.Scrapers = []mesh.Scraper{{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "prometheus"}}}}
}

// holds holds findings to codes, all of one severity.
func holds(t *testing.T, findings []mesh.Finding, codes []string, severity mesh.Severity) {
	t.Helper()
	var got []string
	for _, f := range findings {
		got = append(got, string(f.Code))
		if f.Severity != severity {
			t.Errorf("%s is %s, want %s: %s", f.Code, f.Severity, severity, f.Message)
		}
	}
	if diff := cmp.Diff(codes, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s\n%s", diff, strings.Join(brief(findings), "\n"))
	}
}

// TestAppReachablePastItsCompanion (DPR110): who enrols an app whose pods others may call is warned of it, in every mode, and the mend ends it.
func TestAppReachablePastItsCompanion(t *testing.T) {
	const want = `Service default/whoami admitted with a warning: the pods of Service "whoami" (default) can be reached on 80/TCP past companion "whoami" (default): any pod may, since no policy closes them. Apply the policy below, which leaves that port to the companion, or suppress this while others call the app directly (daprise.dev/suppress). [DPR110]`
	for _, mode := range []string{"audit", "warn", "enforce", "strict"} {
		for _, policies := range []string{"manual", "generate"} {
			t.Run(mode+" "+policies, func(t *testing.T) {
				judge := func(given ...string) []mesh.Finding {
					w := enrolmentWorld(t, append([]string{allowWhoami}, given...)...)
					w.View.Namespaces["default"] = map[string]string{mesh.LabelCoverage: mode, mesh.LabelPolicies: policies}
					w.View.Pods = []mesh.PodSet{{Namespace: "default", Name: "whoami-1", Labels: map[string]string{"app": "whoami"}}}
					findings, err := validate.Enrolment(w, validate.EnrolmentWrite{Kind: "Service", Object: jsonOf(t, enrolledService)})
					if err != nil {
						t.Fatal(err)
					}
					return validate.ApplyModes(w.View, findings)
				}
				findings := judge()
				if diff := cmp.Diff([]string{want}, brief(findings)); diff != "" {
					t.Fatalf("-want +got:\n%s", diff)
				}
				if rest := judge(findings[0].Manifest); len(rest) > 0 {
					t.Errorf("with its mend: %v", brief(rest))
				}
			})
		}
	}
}
