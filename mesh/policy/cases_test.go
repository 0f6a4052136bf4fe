// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
)

// cases have one thing wrong each. want is what is found about the app's companion, then about the ingress companion.
func cases() map[string]struct {
	policies []string
	tweak    func(*mesh.View)
	pods     func(*mesh.View)
	want     []string
} {
	type testCase = struct {
		policies []string
		// tweak makes what is wrong, pods what the policies are about.
		tweak func(*mesh.View)
		pods  func(*mesh.View)
		want  []string
	}
	denyWhoami := `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: deny, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingressDeny:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
`
	return map[string]testCase{
		"no default deny": {
			policies: []string{allowGatewayToIngress, strings.Replace(allowIngressToWhoami, "spec:", "spec:\n  enableDefaultDeny: {ingress: false}", 1)},
			want:     []string{`DPR101 companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy that selects it enables default deny at ingress`},
		},
		"the gateway is left out": {
			policies: []string{allowIngressToWhoami, strings.Replace(allowGatewayToIngress, "fromEntities: [ingress]", "fromEndpoints: [{}]", 1)},
			want: []string{
				`DPR102 the gateway may not reach ingress companion "ingress" (default) on 3500/TCP: CiliumNetworkPolicy default/allow-ingress-to-ingress-shared enables default deny at its ingress and no rule allows it`,
				`DPR103 ingress companion "ingress" (default) is open on 3500/TCP: any pod of namespace default may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-to-ingress-shared allows it`,
			},
		},
		"entity cluster is too broad": {
			policies: []string{allowIngressToWhoami, strings.Replace(allowGatewayToIngress, "fromEntities: [ingress]", "fromEntities: [cluster]", 1)},
			want:     []string{`DPR103 ingress companion "ingress" (default) is open on 3500/TCP: any pod may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-to-ingress-shared allows it`},
		},
		"every port": {
			policies: []string{allowIngressToWhoami, strings.Split(allowGatewayToIngress, "    toPorts")[0]},
			want:     []string{`DPR103 ingress companion "ingress" (default) is open on 3501/TCP: the gateway may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-to-ingress-shared allows it`},
		},
		"the world": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: office, namespace: default}
spec:
  endpointSelector: {matchLabels: {daprise.dev/companion: ingress}}
  ingress:
  - fromCIDR: [192.0.2.0/24]
`},
			want: []string{`DPR103 ingress companion "ingress" (default) is open on 3500/TCP: 192.0.2.0 may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/office allows it`},
		},
		"a pod of another namespace": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: default}
spec:
  podSelector: {matchLabels: {dapr.io/app-id: whoami}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
      podSelector: {matchLabels: {app: x}}
`},
			want: []string{`DPR103 companion "whoami" (default) is open on 50002/TCP: pod shop/app=x may reach it, since spec.ingress[0] of NetworkPolicy default/shop allows it`},
		},
		"a deny rule": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, denyWhoami},
			want:     []string{`DPR102 ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: spec.ingressDeny[0] of CiliumNetworkPolicy default/deny denies it`},
		},
		"egress of the gateway": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: gateways}
spec:
  endpointSelector: {matchLabels: {"reserved:ingress": ""}}
  egress:
  - toEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: shop}}]
`},
			want: []string{`DPR102 the gateway may not send to ingress companion "ingress" (default) on 3500/TCP: CiliumClusterwideNetworkPolicy gateways enables default deny at the egress of the gateway and no rule allows it`},
		},
		"egress of the ingress companion": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-egress, namespace: default}
spec:
  podSelector: {}
  policyTypes: [Egress]
`},
			want: []string{
				`DPR102 companion "whoami" (default) may not send to kube-dns on 53/UDP, dapr-sentry on 50001/TCP, dapr-operator on 6500/TCP, dapr-placement-server on 50005/TCP and dapr-scheduler-server on 50006/TCP: NetworkPolicy default/no-egress enables default deny at its egress and no rule allows it`,
				`DPR102 ingress companion "ingress" (default) may not send to companion "whoami" (default) on 50002/TCP: NetworkPolicy default/no-egress enables default deny at the egress of ingress companion "ingress" (default) and no rule allows it`,
				`DPR102 ingress companion "ingress" (default) may not send to kube-dns on 53/UDP, dapr-sentry on 50001/TCP, dapr-operator on 6500/TCP, dapr-placement-server on 50005/TCP and dapr-scheduler-server on 50006/TCP: NetworkPolicy default/no-egress enables default deny at its egress and no rule allows it`,
			},
		},
		"the app's pods are closed": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, closedApp},
			pods:     whoamiPods,
			want: []string{
				`DPR102 companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8080/TCP: NetworkPolicy default/closed enables default deny at their ingress and no rule allows it`,
				`DPR102 companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8081/TCP: NetworkPolicy default/closed enables default deny at their ingress and no rule allows it`,
			},
		},
		"the pods of one version are closed": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, strings.Replace(closedApp, "{app: whoami}", "{app: whoami, version: v2}", 1)},
			pods:     whoamiPods,
			want:     []string{`DPR102 companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8081/TCP: NetworkPolicy default/closed enables default deny at their ingress and no rule allows it`},
		},
		"a named target port is another number in some pods": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, closedApp + "  - from: [{podSelector: {matchLabels: {dapr.io/app-id: whoami}}}]\n    ports: [{port: 8080}]\n"},
			pods:     whoamiPods,
			want:     []string{`DPR102 companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8081/TCP: NetworkPolicy default/closed enables default deny at their ingress and no rule allows it`},
		},
		"the app's pods let the companion in by the port's name": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, closedApp + "  - from: [{podSelector: {matchLabels: {dapr.io/app-id: whoami}}}]\n    ports: [{port: http}]\n"},
			pods:     whoamiPods,
		},
		"a backend of the GAMMA split is closed": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, strings.NewReplacer("closed", "canary", "{app: whoami}", "{app: canary}", "namespace: default", "namespace: shop").Replace(closedApp)},
			pods:     whoamiPods,
			want:     []string{`DPR102 companion "whoami" (default) may not reach the pods of Service "canary" (shop) on 9000/TCP: NetworkPolicy shop/canary enables default deny at their ingress and no rule allows it`},
		},
		"the companion may not send to the app's pods": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: out, namespace: default}
spec:
  endpointSelector: {matchLabels: {daprise.dev/companion: whoami}}
  egress:
  - toEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: dapr-system}}, {matchLabels: {io.kubernetes.pod.namespace: kube-system}}, {matchLabels: {io.kubernetes.pod.namespace: shop}}]
`},
			pods: whoamiPods,
			want: []string{
				`DPR102 companion "whoami" (default) may not send to the pods of Service "whoami" (default) on 8080/TCP: CiliumNetworkPolicy default/out enables default deny at the egress of companion "whoami" (default) and no rule allows it`,
				`DPR102 companion "whoami" (default) may not send to the pods of Service "whoami" (default) on 8081/TCP: CiliumNetworkPolicy default/out enables default deny at the egress of companion "whoami" (default) and no rule allows it`,
			},
		},
		"the app's owner admits some requests alone": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: requests, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: whoami}}]
    toPorts: [{ports: [{port: http, protocol: TCP}], rules: {http: [{method: GET}]}}]
`},
			pods: whoamiPods,
			want: []string{
				`DPR102 companion "whoami" (default) reaches the pods of Service "whoami" (default) on 8080/TCP with part of the requests alone: spec.ingress[0] of CiliumNetworkPolicy default/requests has layer 7 rules`,
				`DPR102 companion "whoami" (default) reaches the pods of Service "whoami" (default) on 8081/TCP with part of the requests alone: spec.ingress[0] of CiliumNetworkPolicy default/requests has layer 7 rules`,
			},
		},
		"a pod carries the companion's label": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress},
			tweak: func(v *mesh.View) {
				label := map[string]string{mesh.LabelCompanion: "whoami"}
				v.Pods = []mesh.PodSet{{Namespace: "default", Name: "old", Labels: label}, {Namespace: "default", Name: "ours", Labels: label, Companion: "whoami"}}
			},
			want: []string{`DPR113 pod default/old carries the label daprise.dev/companion=whoami and is not of daprise's workload: network policy takes it for companion "whoami" (default)`},
		},
		"a port that the companion has not": {
			policies: []string{allowGatewayToIngress, strings.Replace(allowIngressToWhoami, `"50002"`, "internal", 1)},
			want: []string{
				`DPR102 ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: CiliumNetworkPolicy default/allow-ingress-shared-to-whoami enables default deny at its ingress and no rule allows it`,
				`DPR112 spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-shared-to-whoami names port internal, which the pods of companion "whoami" (default) do not have`,
			},
		},
		"authentication of the gateway": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress + "    authentication: {mode: required}\n"},
			want:     []string{`DPR104 the gateway can never reach ingress companion "ingress" (default) on 3500/TCP: spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-to-ingress-shared asks for authentication, which the gateway cannot give`},
		},
		"layer 7 on 50002": {
			policies: []string{allowGatewayToIngress, allowIngressToWhoami + "      rules: {http: [{}]}\n"},
			want:     []string{`DPR105 ingress companion "ingress" (default) reaches companion "whoami" (default) on 50002/TCP through a layer 7 rule, which breaks Dapr's mutual TLS: spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-shared-to-whoami`},
		},
		"layer 7 on 3500": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress + "      rules: {http: [{method: GET}]}\n"},
			want:     []string{`DPR102 the gateway reaches ingress companion "ingress" (default) on 3500/TCP with part of the requests alone: spec.ingress[0] of CiliumNetworkPolicy default/allow-ingress-to-ingress-shared has layer 7 rules`},
		},
		"a void policy": {
			policies: []string{allowGatewayToIngress, strings.Replace(allowIngressToWhoami, "    toPorts:", "    fromEntities: [world]\n    toPorts:", 1)},
			want: []string{
				`DPR101 companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it`,
				`DPR106 CiliumNetworkPolicy default/allow-ingress-shared-to-whoami selects companion "whoami" (default) and has no effect: Cilium rejects it, since ingress[0] combines fromEndpoints and fromEntities`,
			},
		},
		"a misspelt subject": {
			policies: []string{allowGatewayToIngress, strings.Replace(allowIngressToWhoami, "app-id: whoami", "app-id: whoam", 1)},
			want: []string{
				`DPR101 companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it`,
				`DPR111 CiliumNetworkPolicy default/allow-ingress-shared-to-whoami selects dapr.io/app-id=whoam, which is no app ID here: "whoami" is meant?`,
			},
		},
		"a peer that cannot be judged": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: groups, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromGroups: [{aws: {securityGroupsNames: [office]}}]
`},
			want: []string{`DPR107 ingress companion "ingress" (default) is open on 3500/TCP: entity world may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/groups has fromGroups, which cannot be judged`},
		},
		"a group of addresses": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, offices, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: office, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromCIDRSet: [{cidrGroupRef: offices}]
`},
			want: []string{`DPR103 ingress companion "ingress" (default) is open on 3500/TCP: 192.0.2.0 may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/office allows it`},
		},
		"a group that holds nobody": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: office, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromCIDRSet: [{cidrGroupRef: offices}]
`},
		},
		"rules that Cilium cannot merge": {
			policies: []string{allowIngressToWhoami + "    authentication: {mode: required}\n", allowGatewayToIngress, `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: unauthenticated, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    authentication: {mode: disabled}
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`},
			want: []string{
				`DPR107 companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since Cilium cannot merge CiliumNetworkPolicy/default/allow-ingress-shared-to-whoami spec.ingress[0] and CiliumNetworkPolicy/default/unauthenticated spec.ingress[0], which differ in authentication`,
				`DPR107 ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: it depends on Cilium cannot merge CiliumNetworkPolicy/default/allow-ingress-shared-to-whoami spec.ingress[0] and CiliumNetworkPolicy/default/unauthenticated spec.ingress[0], which differ in authentication, which cannot be judged`,
			},
		},
		"an allow that may be void": {
			policies: []string{allowGatewayToIngress, strings.Replace(allowIngressToWhoami, "  - fromEndpoints:", "  - fromNodes: [{matchLabels: {a: b}}]\n  - fromEndpoints:", 1)},
			want: []string{
				`DPR107 companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since CiliumNetworkPolicy default/allow-ingress-shared-to-whoami has fromNodes and toNodes, which cannot be judged`,
				`DPR107 ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: it depends on CiliumNetworkPolicy/default/allow-ingress-shared-to-whoami spec.ingress[1]: fromNodes and toNodes, which cannot be judged`,
			},
		},
		"ztunnel": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress},
			tweak: func(v *mesh.View) {
				v.Namespaces["shop"] = map[string]string{"io.cilium/mtls-enabled": "true"}
				v.Namespaces["default"] = map[string]string{"io.cilium/mtls-enabled": "true"}
			},
			want: []string{
				`DPR108 namespace default has label io.cilium/mtls-enabled=true: ztunnel carries the traffic of companion "whoami" (default) past network policy for its ports`,
				`DPR108 namespace default has label io.cilium/mtls-enabled=true: ztunnel carries the traffic of ingress companion "ingress" (default) past network policy for its ports`,
			},
		},
		"an unknown Cilium": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress},
			tweak:    func(v *mesh.View) { v.Cilium.Version = "" },
			want: []string{
				`DPR403 coverage of companion "whoami" (default) is not claimed: the version of Cilium is unknown`,
				`DPR403 coverage of ingress companion "ingress" (default) is not claimed: the version of Cilium is unknown`,
			},
		},
		"a Cilium that is too old": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress},
			tweak:    func(v *mesh.View) { v.Cilium.Version = "1.15.19" },
			want: []string{
				`DPR403 coverage of companion "whoami" (default) is not claimed: Cilium 1.15.19 may judge flows otherwise than 1.16 to 1.20, which daprise models`,
				`DPR403 coverage of ingress companion "ingress" (default) is not claimed: Cilium 1.15.19 may judge flows otherwise than 1.16 to 1.20, which daprise models`,
			},
		},
		"a setting of Cilium": {
			policies: []string{allowIngressToWhoami, allowGatewayToIngress},
			tweak:    func(v *mesh.View) { v.Cilium.Unmodelled = []string{"enable-policy=never"} },
			want: []string{
				`DPR403 coverage of companion "whoami" (default) is not claimed: cilium-config has enable-policy=never, which changes verdicts`,
				`DPR403 coverage of ingress companion "ingress" (default) is not claimed: cilium-config has enable-policy=never, which changes verdicts`,
			},
		},
	}
}

// closedApp lets nobody reach the app's pods but the frontend.
const closedApp = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: default}
spec:
  podSelector: {matchLabels: {app: whoami}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: frontend}}}]
`

// whoamiPods are of two versions with another number for one port, and a canary in another namespace gets a share of their traffic.
func whoamiPods(v *mesh.View) {
	pods := func(namespace, name, version string, port int32) mesh.PodSet {
		return mesh.PodSet{Namespace: namespace, Name: name + "-" + version, Labels: map[string]string{"app": name, "version": version}, Ports: map[string]int32{"http": port}}
	}
	service := func(namespace, name string) mesh.Service {
		return mesh.Service{
			Name: mesh.Name{Namespace: namespace, Name: name}, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}},
		}
	}
	v.Services = []mesh.Service{service("default", "whoami"), service("shop", "canary")}
	v.Pods = []mesh.PodSet{pods("default", "whoami", "v1", 8080), pods("default", "whoami", "v2", 8081), pods("shop", "canary", "v3", 9000)}
	v.ServiceSplits = []mesh.ServiceSplit{
		{Service: v.Services[0].Name, Backend: v.Services[0].Name, Port: 80}, {Service: v.Services[0].Name, Backend: v.Services[1].Name, Port: 80},
	}
}
