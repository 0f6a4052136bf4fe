// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/test/controlplane"
)

// TestOptionalObjectsAreTaken: all that values can switch on is what its schema says, without a field too many: ServiceMonitor and
// PrometheusRule by Prometheus's operator, the policies by Cilium and Kubernetes, certificates by cert-manager.
func TestOptionalObjectsAreTaken(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	sets := []controlplane.CRDSet{controlplane.PrometheusOperator, controlplane.CertManager}
	if err := shared.InstallCRDs(ctx, sets...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.RemoveCRDs(ctx, sets...); err != nil {
			t.Error(err)
		}
	})
	if text, err := try(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: daprise-system}\n"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := []string{"ServiceMonitor", "PrometheusRule", "CiliumNetworkPolicy", "NetworkPolicy", "Certificate", "ConfigMap", "ValidatingAdmissionPolicy"}
	seen := map[string]bool{}
	for _, args := range [][]string{
		everything(),
		append(everything(), "--set", "networkPolicy.flavor=kubernetes,certificates.mode=cert-manager"),
		append(everything(), "--set", "networkPolicy.apiServer.cidrs={10.0.0.1/32},networkPolicy.apiServer.pods[0].namespace=kube-system,networkPolicy.apiServer.pods[0].labels.k8s-app=konnectivity-agent"),
	} {
		var all []string
		for _, object := range template(t, args...) {
			seen[object.GetKind()] = true
			data, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(data))
		}
		out, err := shared.KubectlIn(ctx, []byte(strings.Join(all, "\n---\n")), "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out.Stderr)
		}
	}
	for _, kind := range want {
		if !seen[kind] {
			t.Errorf("no %s was tried", kind)
		}
	}
}

// own is a pod of daprise.
func own(t *testing.T) policy.Endpoint {
	t.Helper()
	labels, _, err := unstructured.NestedStringMap(find(template(t), "Deployment", account).Object, "spec", "template", "metadata", "labels")
	if err != nil {
		t.Fatal(err)
	}
	return policy.Endpoint{Namespace: system, Labels: labels, ServiceAccount: account, Ports: map[string]int32{"webhook": 9443, "metrics": 8080, "health": 8081}}
}

// closedBy is the policy for daprise itself that values ask for, as our own engine reads it.
func closedBy(t *testing.T, args ...string) *policy.Set {
	t.Helper()
	objects := template(t, append([]string{"--set", "networkPolicy.enabled=true"}, args...)...)
	if object := find(objects, "CiliumNetworkPolicy", account); object != nil {
		cnp := &ciliumv2.CiliumNetworkPolicy{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, cnp, true); err != nil {
			t.Fatal(err)
		}
		return policy.NewSet(policy.CompileCNP(cnp))
	}
	np := &networkingv1.NetworkPolicy{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(find(objects, "NetworkPolicy", account).Object, np, true); err != nil {
		t.Fatal(err)
	}
	return policy.NewSet(policy.CompileKNP(np))
}

// TestWhoReachesDaprise: with the chart's policies, the API server reaches the admission port, Prometheus the metrics, and nobody anything else. A pod's own
// node, and so its kubelet, Cilium always lets in.
func TestWhoReachesDaprise(t *testing.T) {
	server := policy.Source{Entity: policy.EntityKubeAPIServer}
	prometheus := policy.Source{Namespace: "monitoring", Labels: map[string]string{"app.kubernetes.io/name": "prometheus"}}
	agents := policy.Source{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "konnectivity-agent"}}
	const through = "networkPolicy.apiServer.pods[0].namespace=kube-system,networkPolicy.apiServer.pods[0].labels.k8s-app=konnectivity-agent"
	tests := []struct {
		name string
		args []string
		// admission are those that may ask for decisions; nil is anyone.
		admission []policy.Source
	}{
		{"cilium", nil, []policy.Source{server}},
		{"cilium, the API server behind pods", []string{"--set", through}, []policy.Source{server, agents}},
		{"kubernetes, the API server behind pods", []string{"--set", "networkPolicy.flavor=kubernetes," + through}, []policy.Source{agents}},
		{"kubernetes, which does not know the API server", []string{"--set", "networkPolicy.flavor=kubernetes"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, pod := closedBy(t, tt.args...), own(t)
			for port, allowed := range map[int32][]policy.Source{9443: tt.admission, 8080: {prometheus}, 8081: {}, 3500: {}, 22: {}} {
				exposure := set.Exposure(pod, port, allowed, nil)
				if !exposure.DefaultDeny {
					t.Errorf("port %d is not closed", port)
				}
				if open := len(exposure.Leaks) > 0; open != (allowed == nil) {
					t.Errorf("port %d: ways in for others: %+v", port, exposure.Leaks)
				}
			}
			for _, flow := range wanted(tt.admission, prometheus) {
				flow.To = pod
				if verdict := set.Verdict(flow); !verdict.Allowed() {
					t.Errorf("%s does not reach port %d: %+v", flow.From, flow.Port, verdict)
				}
			}
		})
	}
}

// wanted are the flows that must pass.
func wanted(admission []policy.Source, prometheus policy.Source) []policy.Flow {
	flows := []policy.Flow{{From: from(prometheus), Port: 8080}}
	for _, source := range admission {
		flows = append(flows, policy.Flow{From: from(source), Port: 9443})
	}
	return flows
}

func from(source policy.Source) policy.Endpoint {
	return policy.Endpoint{Entity: source.Entity, Namespace: source.Namespace, Labels: source.Labels}
}

// TestWhomDapriseReaches: the API server alone.
func TestWhomDapriseReaches(t *testing.T) {
	set, pod := closedBy(t), own(t)
	for _, tt := range []struct {
		to   policy.Endpoint
		want bool
	}{
		{policy.Endpoint{Entity: policy.EntityKubeAPIServer}, true},
		{policy.Endpoint{Entity: policy.EntityWorld}, false},
		{policy.Endpoint{Entity: policy.EntityRemoteNode}, false},
		{policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "whoami"}}, false},
		{policy.Endpoint{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}}, false},
	} {
		if verdict := set.Verdict(policy.Flow{From: pod, To: tt.to, Port: 6443}); verdict.Egress != tt.want {
			t.Errorf("%s: %+v, want %t", tt.to, verdict, tt.want)
		}
	}
}
