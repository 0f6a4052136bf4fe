// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/validate/catalog"
)

// Documents of the scenario.
const (
	aService    = "apiVersion: v1\nkind: Service\nmetadata: {name: whoami, annotations: {daprise.dev/enabled: \"true\"}}\nspec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}\n---\n"
	aGateway    = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: default-gateway, annotations: {daprise.dev/enabled: \"true\", dapr.io/app-id: ingress}}\nspec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}\n---\n"
	aRoute      = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: whoami-route}\nspec: {parentRefs: [{name: default-gateway}], rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: whoami, port: 80}]}]}\n---\n"
	aDeployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: whoami-v1, annotations: {daprise.dev/enabled: \"true\"}}\nspec: {selector: {matchLabels: {app: whoami}}, template: {metadata: {labels: {app: whoami}}, spec: {containers: [{name: a, image: a}]}}}\n---\n"
	notEnrolled = "apiVersion: v1\nkind: Service\nmetadata: {name: whoami}\nspec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}\n---\n"
	theScenario = aGateway + aService + aRoute
	isEnabled   = `daprise.dev/enabled: "true"`
)

// aPolicy is a CiliumNetworkPolicy on an app ID with some rules.
func aPolicy(name, id, rules string) string {
	return "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: " + name + ", namespace: default}\n" +
		"spec: {endpointSelector: {matchLabels: {dapr.io/app-id: " + id + "}}, " + rules + "}\n---\n"
}

// aPod runs and has labels.
func aPod(name, labels string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: default, labels: {" + labels + "}}\nspec: {containers: [{name: a, image: a}]}\nstatus: {phase: Running}\n---\n"
}

// examples are files of which daprise analyze says what the catalog has for an example, by code.
func examples() map[mesh.Code]string {
	const allow = `ingress: [{fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}], toPorts: [{ports: [{port: "50002", protocol: TCP}]}]}]`
	allowed := theScenario + aPolicy("whoami", "whoami", allow)
	with := func(text, old, fresh string) string { return strings.Replace(text, old, fresh, 1) }
	return map[mesh.Code]string{
		mesh.CodeNotIsolated:      theScenario,
		mesh.CodeFlowDenied:       allowed + aPolicy("quarantine", "whoami", "ingressDeny: [{fromEntities: [all]}]"),
		mesh.CodeTooBroad:         allowed + aPolicy("open", "whoami", `ingress: [{fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: shop, app: x}}], toPorts: [{ports: [{port: "50002"}]}]}]`),
		mesh.CodeAuthReservedPeer: allowed + aPolicy("ingress", "ingress", `ingress: [{fromEntities: [ingress], authentication: {mode: required}, toPorts: [{ports: [{port: "3500"}]}]}]`),
		mesh.CodeL7OnInternal:     theScenario + aPolicy("whoami", "whoami", with(allow, "protocol: TCP}]", "protocol: TCP}], rules: {http: [{}]}")),
		mesh.CodePolicyVoid:       theScenario + aPolicy("whoami", "whoami", "ingress: [{fromEndpoints: [{}], fromEntities: [world]}]"),
		mesh.CodeNotJudged:        theScenario + aPolicy("whoami", "whoami", "ingress: [{fromGroups: [{aws: {region: x}}]}]"),
		mesh.CodeZtunnel:          allowed + "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {io.cilium/mtls-enabled: \"true\"}}\n",
		mesh.CodeAppReachable:     allowed + aPod("whoami-1", "app: whoami"),
		mesh.CodeSelectorTypo:     theScenario + aPolicy("whoami", "whoamy", allow),
		mesh.CodeNamedPort:        theScenario + aPolicy("whoami", "whoami", with(allow, `"50002"`, "dapr")),
		mesh.CodeLabelHolder:      allowed + aPod("old", "daprise.dev/companion: whoami"),
		mesh.CodeUnknownKey:       with(aService, isEnabled, isEnabled+`, daprise.dev/replica: "2"`),
		mesh.CodeBadValue:         with(aService, isEnabled, isEnabled+`, daprise.dev/replicas: two`),
		mesh.CodeNoPort:           with(aService, "{name: http,", "{name: admin, port: 81}, {name: web,"),
		mesh.CodeAppIDTaken: with(aService, "name: whoami", `name: whoami, creationTimestamp: "2026-01-01T00:00:00Z"`) +
			with(with(aService, "name: whoami", `name: other, creationTimestamp: "2026-01-02T00:00:00Z"`), isEnabled, isEnabled+", dapr.io/app-id: whoami"),
		mesh.CodeNameTaken:        aService + with(notEnrolled, "name: whoami", "name: whoami-dapr"),
		mesh.CodeSidecarToo:       notEnrolled + with(aDeployment, "labels: {app: whoami}}, spec", `annotations: {dapr.io/enabled: "true"}, labels: {app: whoami}}, spec`),
		mesh.CodeDaprKeyRefused:   with(aService, isEnabled, isEnabled+", dapr.io/api-token-secret: theirs"),
		mesh.CodeServiceUnfit:     with(aService, "selector: {app: whoami}", "type: ExternalName, externalName: evil.example"),
		mesh.CodeAmbiguousService: notEnrolled + with(notEnrolled, "name: whoami", "name: other") + aDeployment,
		mesh.CodeConfiguration:    with(aService, isEnabled, isEnabled+", dapr.io/config: tracing") + "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: tracing}\nspec: {}\n",
		mesh.CodeLocalRedirect: with(aGateway, isEnabled, isEnabled+`, daprise.dev/local-redirect: "true"`) +
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {enable-local-redirect-policy: \"true\"}\n",
	}
}

// shownElsewhere are the codes of which files alone cannot give the catalog's example.
func shownElsewhere() map[mesh.Code]string {
	routes := "TestMutateGoldens has the goldens of routes"
	return map[mesh.Code]string{
		mesh.CodeMixedBackends: routes, mesh.CodeMixedParents: routes, mesh.CodeBackendPort: routes, mesh.CodeDaprHeaders: routes,
		mesh.CodeIgnoredFilter: routes, mesh.CodeHeaderForm: routes, mesh.CodeGrantMissing: routes, mesh.CodeCompanionService: routes,
		mesh.CodeTooLarge: routes, mesh.CodeDaprCannotCarry: routes, mesh.CodePrefixRetarget: routes, mesh.CodeUnsupportedRule: routes,
		mesh.CodeJoining:       "needs a route that is stored already: test/admission",
		mesh.CodeNeededByRoute: "needs companions that run: test/admission",
		mesh.CodeUnsafeOptOut:  "needs an enrolment that is stored already: test/admission",
		mesh.CodeSuppression:   "is about suppressions: the golden analyze-suppress",
		mesh.CodeKindMissing:   "files have every kind: test/latecrds",
		mesh.CodeDaprVersion:   "is about a cluster: test/live",
		mesh.CodeCiliumSetting: "the example needs a Cilium of which nothing is known: the golden analyze-old-cilium",
		mesh.CodeTrustBundle:   "is told by inject: the golden inject-held",
	}
}

// TestExamplesOfTheCatalog: of files, daprise analyze says word for word what admission says in the examples of the rule reference.
func TestExamplesOfTheCatalog(t *testing.T) {
	files := examples()
	for _, rule := range catalog.Rules() {
		text, has := files[rule.Code]
		if _, elsewhere := shownElsewhere()[rule.Code]; has == elsewhere {
			t.Errorf("%s: has files: %v, is shown elsewhere: %v", rule.Code, has, elsewhere)
		}
		if !has {
			continue
		}
		t.Run(string(rule.Code), func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "in.yaml")
			if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got struct{ Findings []mesh.Finding }
			if err := json.Unmarshal([]byte(execute(t, []string{"analyze", "-f", in, "-o", "json", "--mode", "strict"}, "")), &got); err != nil {
				t.Fatal(err)
			}
			said := map[string]bool{}
			for _, f := range got.Findings {
				f.Manifest = ""
				said[f.Text()] = true
			}
			if !said[rule.Example] {
				t.Errorf("not said (-want +got):\n%s", cmp.Diff([]string{rule.Example}, slices.Sorted(maps.Keys(said))))
			}
		})
	}
}
