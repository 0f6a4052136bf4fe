// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
)

// TestRefusedAnnotations holds the exact text of every refusal of a key or value.
func TestRefusedAnnotations(t *testing.T) {
	const service, gateway, deployment = "Service default/whoami refused: ", "Gateway default/default-gateway refused: ", "Deployment default/whoami-v1 refused: "
	for _, test := range []struct{ name, on, annotations, want string }{
		{"unknown key", serviceYAML, `daprise.dev/replica: "2"`, service + `metadata.annotations[daprise.dev/replica]: no such key is known; the nearest is daprise.dev/replicas. Correct the key or remove the annotation. [DPR301]`},
		{"unknown key, nearest of that kind", gatewayYAML, "daprise.dev/service: x, daprise.dev/servic: x", gateway + "metadata.annotations[daprise.dev/servic]: no such key is known; the nearest is daprise.dev/replicas. Correct the key or remove the annotation. [DPR301]\n" + gateway + "metadata.annotations[daprise.dev/service]: this key means nothing on Gateways, only on Deployments. Remove the annotation. [DPR301]"},
		{"misplaced key", gatewayYAML, "daprise.dev/callers: x", gateway + "metadata.annotations[daprise.dev/callers]: this key means nothing on Gateways, only on Services and Deployments. Remove the annotation. [DPR301]"},
		{"a key that daprise writes", serviceYAML, "daprise.dev/original: x", service + "metadata.annotations[daprise.dev/original]: this key is written by daprise, on routes only. Remove the annotation. [DPR301]"},
		{"app ID", serviceYAML, "dapr.io/app-id: Whoami", service + `metadata.annotations[dapr.io/app-id]: "Whoami" is not an app ID: at most 54 of a-z, 0-9 and -, a letter first, a letter or digit last. Set such a name, or remove the annotation for the default (its own name). [DPR302]`},
		{"strategy", serviceYAML, "daprise.dev/strategy: sidecar", service + `metadata.annotations[daprise.dev/strategy]: "sidecar" is not "deployment" or "daemonset". Set one of them, or remove the annotation for the default (deployment). [DPR302]`},
		{"strategy of a Gateway", gatewayYAML, "daprise.dev/strategy: ''", gateway + `metadata.annotations[daprise.dev/strategy]: "" is not "deployment" or "daemonset". Set one of them, or remove the annotation for the default (daemonset). [DPR302]`},
		{"replicas in words", serviceYAML, "daprise.dev/replicas: two", service + `metadata.annotations[daprise.dev/replicas]: "two" is not a whole number from 1 to 100. Set a number, or remove the annotation for the default (2). [DPR302]`},
		{"no replicas", serviceYAML, `daprise.dev/replicas: "0"`, service + `metadata.annotations[daprise.dev/replicas]: "0" is not a whole number from 1 to 100. Set a number, or remove the annotation for the default (2). [DPR302]`},
		{"too many replicas", serviceYAML, `daprise.dev/replicas: "101"`, service + `metadata.annotations[daprise.dev/replicas]: "101" is not a whole number from 1 to 100. Set a number, or remove the annotation for the default (2). [DPR302]`},
		{"replicas with a sign", serviceYAML, `daprise.dev/replicas: "+2"`, service + `metadata.annotations[daprise.dev/replicas]: "+2" is not a whole number from 1 to 100. Set a number, or remove the annotation for the default (2). [DPR302]`},
		{"replicas of a daemonset", serviceYAML, `daprise.dev/strategy: daemonset, daprise.dev/replicas: "2"`, service + `metadata.annotations[daprise.dev/replicas]: "2" means nothing with strategy daemonset, which runs one companion on every node. Remove the annotation. [DPR302]`},
		{"replicas of a Gateway", gatewayYAML, `daprise.dev/replicas: "2"`, gateway + `metadata.annotations[daprise.dev/replicas]: "2" means nothing with strategy daemonset, the default of a Gateway, which runs one companion on every node. Remove the annotation, or set daprise.dev/strategy=deployment. [DPR302]`},
		{"local redirect", serviceYAML, `daprise.dev/local-redirect: "yes"`, service + `metadata.annotations[daprise.dev/local-redirect]: "yes" is not "true" or "false". Set one of them, or remove the annotation for the default (false). [DPR302]`},
		{"service", deploymentYAML, "daprise.dev/service: other/whoami", deployment + `metadata.annotations[daprise.dev/service]: "other/whoami" is not the name of a Service. Set the name of the Service, or remove the annotation for the default (the one Service that selects the pods). [DPR302]`},
		{"port", serviceYAML, `dapr.io/app-port: "0"`, service + `metadata.annotations[dapr.io/app-port]: "0" is not a port number from 1 to 65535 or a port name. Set one, or remove the annotation for the default (the Service's only port, else the one named http). [DPR302]`},
		{"a port that is not there", serviceYAML, `dapr.io/app-port: "8080"`, service + `metadata.annotations[dapr.io/app-port]: "8080" is not a TCP port of the Service, which has http 80. Set one of them by number or name, or remove the annotation for the default (the only port, else the one named http). [DPR302]`},
		{"protocol", serviceYAML, "dapr.io/app-protocol: HTTP", service + `metadata.annotations[dapr.io/app-protocol]: "HTTP" is not "http", "https", "h2c", "grpc" or "grpcs". Set one of them, or remove the annotation for the default (the port's appProtocol, else http). [DPR302]`},
		{"callers", serviceYAML, "daprise.dev/callers: 'shop,,x'", service + `metadata.annotations[daprise.dev/callers]: "shop,,x" holds "", which is not app-id or app-id.namespace. Write each caller as app-id or app-id.namespace, once, with commas between, or remove the annotation if only routes call the app. [DPR302]`},
		{"callers of every namespace", serviceYAML, "daprise.dev/callers: 'shop.*'", service + `metadata.annotations[daprise.dev/callers]: "shop.*" holds "shop.*", which is not app-id or app-id.namespace. Write each caller as app-id or app-id.namespace, once, with commas between, or remove the annotation if only routes call the app. [DPR302]`},
		{"a caller twice", serviceYAML, "daprise.dev/callers: 'shop, shop'", service + `metadata.annotations[daprise.dev/callers]: "shop, shop" names "shop" twice. Write each caller as app-id or app-id.namespace, once, with commas between, or remove the annotation if only routes call the app. [DPR302]`},
		{"API", serviceYAML, "daprise.dev/dapr-api: 'off'", service + `metadata.annotations[daprise.dev/dapr-api]: "off" is not "true" or "false". Set one of them, or remove the annotation for the default (true). [DPR302]`},
		{"invoke", gatewayYAML, "daprise.dev/invoke: path", gateway + `metadata.annotations[daprise.dev/invoke]: "path" is not "prefix" or "header". Set one of them, or remove the annotation for the default (prefix). [DPR302]`},
		{"suppress", serviceYAML, "daprise.dev/suppress: DPR110", service + `metadata.annotations[daprise.dev/suppress]: "DPR110" is not DPR###=reason until YYYY-MM-DD. Write DPR###=reason until YYYY-MM-DD for each, with semicolons between, or remove the annotation. [DPR302]`},
		{"a long value is cut", serviceYAML, "daprise.dev/dapr-api: " + strings.Repeat("x", 200), service + `metadata.annotations[daprise.dev/dapr-api]: "` + strings.Repeat("x", 80) + `…" is not "true" or "false". Set one of them, or remove the annotation for the default (true). [DPR302]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := annotated(t, test.on, test.annotations)
			var f fixture
			switch test.on {
			case serviceYAML:
				f.services = []string{text}
			case gatewayYAML:
				f.gateways = []string{text}
			default:
				f.services, f.deployments = []string{plain(t, serviceYAML)}, []string{text}
			}
			got := enrol(t, f.objects(t))
			if diff := cmp.Diff(test.want, strings.Join(texts(got.Findings), "\n")); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if len(got.Apps)+len(got.Ingresses) > 0 {
				t.Errorf("enrolled all the same: %+v", got)
			}
			for _, f := range got.Findings {
				if !f.Invalid || f.Severity != mesh.Deny {
					t.Errorf("malformed input is a denial with HTTP 422, got %+v", f)
				}
			}
		})
	}
	t.Run("enabled", func(t *testing.T) {
		got := enrol(t, fixture{services: []string{change(t, serviceYAML, `"true"`, `"True"`)}}.objects(t))
		want := service + `metadata.annotations[daprise.dev/enabled]: "True" is not "true" or "false". Set "true" to enrol the Service, or remove the annotation. [DPR302]`
		if diff := cmp.Diff([]string{want}, texts(got.Findings)); diff != "" {
			t.Errorf("refusal (-want +got):\n%s", diff)
		}
	})
	t.Run("keys are checked without enrolment too", func(t *testing.T) {
		got := enrol(t, fixture{services: []string{change(t, serviceYAML, enabledYAML, `daprise.dev/enabeld: "true"`)}}.objects(t))
		want := service + `metadata.annotations[daprise.dev/enabeld]: no such key is known; the nearest is daprise.dev/enabled. Correct the key or remove the annotation. [DPR301]`
		if diff := cmp.Diff([]string{want}, texts(got.Findings)); diff != "" {
			t.Errorf("refusal (-want +got):\n%s", diff)
		}
	})
}

// TestRefusedEnrolment holds the exact text of every refusal that has to do with what else there is.
func TestRefusedEnrolment(t *testing.T) {
	const service, deployment = "Service default/whoami refused: ", "Deployment default/whoami-v1 refused: "
	bare := plain(t, serviceYAML)
	for _, test := range []struct {
		name  string
		given fixture
		want  string
	}{
		{"no port to choose", fixture{services: []string{change(t, serviceYAML, "ports: [{name: http,", "ports: [{name: a, port: 81}, {name: b,")}}, service + "metadata.annotations[dapr.io/app-port]: not set, and the Service has 2 ports, none named http: a 81, b 80. Set dapr.io/app-port to the one that Dapr is to call. [DPR303]"},
		{"no port to choose through a Deployment", fixture{services: []string{change(t, bare, "ports: [{name: http,", "ports: [{name: a, port: 81}, {name: b,")}, deployments: []string{deploymentYAML}}, deployment + "metadata.annotations[dapr.io/app-port]: not set, and the Service has 2 ports, none named http: a 81, b 80. Set dapr.io/app-port to the one that Dapr is to call. [DPR303]"},
		{"external name", fixture{services: []string{change(t, serviceYAML, "selector: {app: whoami}", "type: ExternalName, externalName: evil.example")}}, service + `spec.type: ExternalName would lead the companion to "evil.example", which nothing in the cluster checks. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]`},
		{"no selector", fixture{services: []string{change(t, serviceYAML, "selector: {app: whoami}, ", "")}}, service + "spec.selector: without a selector, whoever writes its endpoints could lead the companion anywhere. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		{"no TCP port", fixture{services: []string{change(t, serviceYAML, "port: 80,", "port: 80, protocol: UDP,")}}, service + "spec.ports: none of its ports is TCP (http 80/UDP). Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		{"no port at all", fixture{services: []string{change(t, serviceYAML, ", ports: [{name: http, port: 80, targetPort: 8080}]", "")}}, service + "spec.ports: none of its ports is TCP. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		{"a companion's own", fixture{services: []string{change(t, serviceYAML, "uid: s,", "uid: s, labels: {app.kubernetes.io/managed-by: daprise, app.kubernetes.io/name: dapr-shared},")}}, service + "metadata.labels[app.kubernetes.io/managed-by]: it is a companion's own Service. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		{"no selector, through a Deployment", fixture{services: []string{change(t, bare, "selector: {app: whoami}, ", "")}, deployments: []string{annotated(t, deploymentYAML, "daprise.dev/service: whoami")}}, deployment + "its Service default/whoami cannot be enrolled: spec.selector: without a selector, whoever writes its endpoints could lead the companion anywhere. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		{"headless with a translated port", fixture{services: []string{change(t, serviceYAML, "spec: {", "spec: {clusterIP: None, ")}}, service + "spec.clusterIP: None leads the companion to the pods' own port 80, but the Service's port 80 leads to 8080. Give the Service a cluster IP, or make port and targetPort the same number. [DPR308]"},
		{"a protocol that Dapr does not speak", fixture{services: []string{change(t, serviceYAML, "port: 80,", "port: 80, appProtocol: kubernetes.io/ws,")}}, service + `spec.ports[0].appProtocol: "kubernetes.io/ws" is not one that Dapr speaks: http, https, h2c, grpc or grpcs. Set dapr.io/app-protocol to what the app understands, or choose another port with dapr.io/app-port. [DPR308]`},
		{"a default that is no app ID", fixture{services: []string{change(t, serviceYAML, "name: whoami,", "name: 1-whoami,")}}, `Service default/1-whoami refused: metadata.name: "1-whoami", the default app ID (its own name), is not an app ID: at most 54 of a-z, 0-9 and -, a letter first, a letter or digit last. Set dapr.io/app-id. [DPR302]`},
		{"a Gateway's name with a dot", fixture{gateways: []string{change(t, change(t, gatewayYAML, ", dapr.io/app-id: ingress", ""), "default-gateway", "a.b")}}, `Gateway default/a.b refused: metadata.name: "a.b-ingress", the default app ID (its own name and -ingress), is not an app ID: at most 54 of a-z, 0-9 and -, a letter first, a letter or digit last. Set dapr.io/app-id. [DPR302]`},
		{"a name to be generated", fixture{services: []string{change(t, serviceYAML, "name: whoami,", "generateName: who-,")}}, `Service default/who-* refused: metadata.annotations[dapr.io/app-id]: not set, and the default is made from the name, which is not known yet (generateName "who-"). Set dapr.io/app-id, or give the object a name. [DPR302]`},
		{"no Service", fixture{deployments: []string{deploymentYAML}}, deployment + "spec.template.metadata.labels: no Service in namespace default selects its pods (app=whoami,version=v1). Create a Service that selects them, then enrol the Deployment. [DPR309]"},
		{"several Services", fixture{services: []string{bare, change(t, bare, "name: whoami,", "name: other,")}, deployments: []string{deploymentYAML}}, deployment + "metadata.annotations[daprise.dev/service]: not set, and 2 Services select its pods: other and whoami. Name one of them with daprise.dev/service. [DPR309]"},
		{"a Service that is not there", fixture{services: []string{bare}, deployments: []string{annotated(t, deploymentYAML, "daprise.dev/service: other")}}, deployment + "metadata.annotations[daprise.dev/service]: there is no Service default/other. Create it first, or name another. [DPR309]"},
		{"a Service of other pods", fixture{services: []string{change(t, bare, "{app: whoami}", "{app: other}")}, deployments: []string{annotated(t, deploymentYAML, "daprise.dev/service: whoami")}}, deployment + "metadata.annotations[daprise.dev/service]: Service default/whoami selects app=other and not the Deployment's pods (app=whoami,version=v1). Name a Service that selects them. [DPR309]"},
		{"a container port without a Service port", fixture{services: []string{bare}, deployments: []string{annotated(t, deploymentYAML, `dapr.io/app-port: "9000"`)}}, deployment + `metadata.annotations[dapr.io/app-port]: no port of Service default/whoami leads to container port "9000"; it has 80 to 8080. Set a container port that one of them leads to, by number or name. [DPR302]`},
		{"a container port with two Service ports", fixture{services: []string{change(t, bare, "ports: [{name: http,", "ports: [{name: a, port: 81, targetPort: 8080}, {name: b,")}, deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web")}}, deployment + `metadata.annotations[dapr.io/app-port]: several ports of Service default/whoami lead to container port "web": a 81, b 80. Name one of them http, or enrol the Service and set dapr.io/app-port there. [DPR303]`},
		{"a sidecar too", fixture{services: []string{bare}, deployments: []string{change(t, deploymentYAML, "labels: {app", "annotations: {dapr.io/enabled: 'True'}, labels: {app")}}, deployment + `spec.template.metadata.annotations[dapr.io/enabled]: "True" asks Dapr for a sidecar, and the app would have two Dapr instances of one app ID. Remove the annotation from the pod template, or do not enrol the Deployment. [DPR306]`},
		{"a sidecar behind the Service", fixture{services: []string{serviceYAML}, deployments: []string{change(t, change(t, deploymentYAML, enabledYAML, `daprise.dev/enabled: "false"`), "labels: {app", "annotations: {dapr.io/enabled: 'true'}, labels: {app")}}, service + "spec.selector: selects Deployment default/whoami-v1, whose pod template asks Dapr for a sidecar: the app would have two Dapr instances of one app ID. Remove dapr.io/enabled from the pod template, or do not enrol the Service. [DPR306]"},
		{"app ID taken by an app", fixture{services: []string{serviceYAML, change(t, change(t, annotated(t, serviceYAML, "dapr.io/app-id: whoami"), "name: whoami,", "name: other,"), "01-02", "01-03")}}, `Service default/other refused: metadata.annotations[dapr.io/app-id]: app ID "whoami" belongs to Service default/whoami. Set dapr.io/app-id to another, one that no other object in the namespace has. [DPR304]`},
		{"app ID taken by an ingress", fixture{services: []string{change(t, serviceYAML, "name: whoami,", "name: ingress,")}, gateways: []string{gatewayYAML}}, `Service default/ingress refused: metadata.name: app ID "ingress" belongs to Gateway default/default-gateway. Set dapr.io/app-id to another, one that no other object in the namespace has. [DPR304]`},
		{"a Deployment of another mind", fixture{services: []string{annotated(t, serviceYAML, `daprise.dev/replicas: "2"`)}, deployments: []string{annotated(t, deploymentYAML, `daprise.dev/replicas: "3"`)}}, deployment + `metadata.annotations[daprise.dev/replicas]: "3", but Service default/whoami says "2", and both enrol the app of Service default/whoami. Make them agree, or enrol only one of them. [DPR302]`},
		{"a Deployment of another app ID", fixture{services: []string{annotated(t, serviceYAML, "dapr.io/app-id: other")}, deployments: []string{deploymentYAML}}, deployment + `metadata.annotations[dapr.io/app-id]: "whoami", but Service default/whoami has app ID "other", and both enrol the app of Service default/whoami. Make them agree, or enrol only one of them. [DPR302]`},
		{"a daemonset of one with replicas of the other", fixture{services: []string{annotated(t, serviceYAML, "daprise.dev/strategy: daemonset")}, deployments: []string{annotated(t, deploymentYAML, `daprise.dev/replicas: "3"`)}}, deployment + `metadata.annotations[daprise.dev/replicas]: "3", but Service default/whoami says strategy "daemonset", and both enrol the app of Service default/whoami. Make them agree, or enrol only one of them. [DPR302]`},
		{"replicas of one with a daemonset of the other", fixture{services: []string{annotated(t, serviceYAML, `daprise.dev/replicas: "3"`)}, deployments: []string{annotated(t, deploymentYAML, "daprise.dev/strategy: daemonset")}}, deployment + `metadata.annotations[daprise.dev/strategy]: "daemonset", but Service default/whoami says "3" replicas, and both enrol the app of Service default/whoami. Make them agree, or enrol only one of them. [DPR302]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := enrol(t, test.given.objects(t))
			if diff := cmp.Diff(test.want, strings.Join(texts(got.Findings), "\n")); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckRouteAnnotations(t *testing.T) {
	const route = "HTTPRoute default/r refused: "
	for _, test := range []struct{ name, kind, key, value, want string }{
		{"opt out", mesh.KindHTTPRoute, "daprise.dev/enabled", "false", ""},
		{"opt in", mesh.KindHTTPRoute, "daprise.dev/enabled", "true", route + `metadata.annotations[daprise.dev/enabled]: "true" is not "false", the only value that this key has on a route. Set "false" to keep the route out of the mesh, or remove the annotation: a route follows its Gateway and its backends. [DPR302]`},
		{"invoke", mesh.KindHTTPRoute, "daprise.dev/invoke", "header", ""},
		{"bad invoke", mesh.KindHTTPRoute, "daprise.dev/invoke", "x", route + `metadata.annotations[daprise.dev/invoke]: "x" is not "prefix" or "header". Set one of them, or remove the annotation for the default (prefix). [DPR302]`},
		{"invoke of gRPC", mesh.KindGRPCRoute, "daprise.dev/invoke", "header", "GRPCRoute default/r refused: metadata.annotations[daprise.dev/invoke]: this key means nothing on GRPCRoutes, only on Gateways and HTTPRoutes. Remove the annotation. [DPR301]"},
		{"suppress", mesh.KindGRPCRoute, "daprise.dev/suppress", "DPR211=known until 2027-01-01", ""},
		{"what daprise writes", mesh.KindHTTPRoute, "daprise.dev/original", "{}", ""},
		{"what daprise writes too", mesh.KindGRPCRoute, "daprise.dev/revision", "0", ""},
		{"misplaced", mesh.KindHTTPRoute, "daprise.dev/replicas", "2", route + "metadata.annotations[daprise.dev/replicas]: this key means nothing on HTTPRoutes, only on Services, Deployments and Gateways. Remove the annotation. [DPR301]"},
		{"unknown", mesh.KindHTTPRoute, "daprise.dev/invok", "header", route + "metadata.annotations[daprise.dev/invok]: no such key is known; the nearest is daprise.dev/invoke. Correct the key or remove the annotation. [DPR301]"},
		{"not ours", mesh.KindHTTPRoute, "dapr.io/app-id", "_", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := mesh.Object{Kind: test.kind, Namespace: "default", Name: "r"}
			got := mesh.CheckRouteAnnotations(object, map[string]string{test.key: test.value}, mesh.DefaultConfig())
			if diff := cmp.Diff(test.want, strings.Join(texts(got), "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
