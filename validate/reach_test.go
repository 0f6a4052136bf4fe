// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

const (
	closePods = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: close, namespace: default}
spec:
  podSelector: {matchLabels: {app: whoami}}
  policyTypes: [Ingress]
`
	openPods = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: open-pods, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {io.cilium.k8s.namespace.labels.team: a, dapr.io/app-id: whoami}}]
`
	closeEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-egress, namespace: default}
spec:
  podSelector: {matchLabels: {daprise.dev/companion: whoami}}
  policyTypes: [Egress]
`
)

// withPods is the scenario with a pod behind the app's Service.
func withPods(v *mesh.View) {
	v.Config = mesh.DefaultConfig()
	v.Services = []mesh.Service{{
		Name: mesh.Name{Namespace: "default", Name: "whoami"}, Selector: map[string]string{"app": "whoami"},
		Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	v.Pods = []mesh.PodSet{{Namespace: "default", Name: "whoami-1", Labels: map[string]string{"app": "whoami"}}}
}

const (
	unreached   = `companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8080/TCP: NetworkPolicy default/close enables default deny at their ingress and no rule allows it`
	surrounding = `companion "whoami" (default) may not send to kube-dns on 53/UDP, dapr-sentry on 50001/TCP, dapr-operator on 6500/TCP, dapr-placement-server on 50005/TCP and dapr-scheduler-server on 50006/TCP: NetworkPolicy default/no-egress enables default deny at its egress and no rule allows it`
)

// briefly is each finding's code, severity and message.
func briefly(findings []mesh.Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, string(f.Severity)+" "+string(f.Code)+" "+f.Message)
	}
	return list
}

// TestReachabilityInEveryMode: what a route's companions cannot reach, the app's pods (F3) or what every companion needs (F5), refuses it
// in enforce and strict, and is told in the others.
func TestReachabilityInEveryMode(t *testing.T) {
	for mode, severity := range map[string]string{"audit": "audit", "warn": "warn", "enforce": "deny", "strict": "deny", "unknown": "deny"} {
		t.Run(mode, func(t *testing.T) {
			view := scenario(withPods, func(v *mesh.View) { v.Namespaces["default"][mesh.LabelCoverage] = mode })
			set := sets(t, allowWhoami, allowIngress, closePods, closeEgress)
			object := mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"}
			got := briefly(validate.ApplyModes(view, validate.Coverage(policy.World{View: view, Set: set}, object, view.Routes)))
			want := []string{
				severity + ` DPR102 ` + unreached,
				severity + ` DPR102 companion "whoami" (default) may not send to kube-dns on 53/UDP, dapr-sentry on 50001/TCP, dapr-operator on 6500/TCP, dapr-placement-server on 50005/TCP and dapr-scheduler-server on 50006/TCP: NetworkPolicy default/no-egress enables default deny at its egress and no rule allows it`,
				severity + ` DPR102 companion "whoami" (default) may not send to the pods of Service "whoami" (default) on 8080/TCP: NetworkPolicy default/no-egress enables default deny at the egress of companion "whoami" (default) and no rule allows it`,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWritesThatCutTheApp: a policy that closes the app's pods or the companion's egress, one taken away that opened them, and a change of
// the labels that one selects by are admitted with a warning in every mode: closing is never refused.
func TestWritesThatCutTheApp(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after []string
		operation     validate.Operation
		want          []string
	}{
		"the pods are closed": {
			after: []string{closePods}, operation: validate.Create,
			want: []string{"warn DPR109 with it " + unreached + ", which HTTPRoute default/whoami-route needs"},
		},
		"the egress is closed": {
			after: []string{closeEgress}, operation: validate.Update,
			want: []string{
				"warn DPR109 with it " + surrounding + ", which HTTPRoute default/whoami-route needs",
				`warn DPR109 with it companion "whoami" (default) may not send to the pods of Service "whoami" (default) on 8080/TCP: NetworkPolicy default/no-egress enables default deny at the egress of companion "whoami" (default) and no rule allows it, which HTTPRoute default/whoami-route needs`,
			},
		},
		"what let the companion in is deleted": {
			before: []string{closePods, openPods}, after: []string{closePods}, operation: validate.Delete,
			want: []string{"warn DPR109 without it " + unreached + ", which HTTPRoute default/whoami-route needs"},
		},
		"it was closed before": {before: []string{closePods}, after: []string{closePods, strings.Replace(closePods, "name: close", "name: too", 1)}, operation: validate.Create},
	} {
		for _, mode := range []string{"audit", "warn", "enforce", "strict"} {
			t.Run(name+" in "+mode, func(t *testing.T) {
				view := scenario(withPods, func(v *mesh.View) { v.Namespaces["default"][mesh.LabelCoverage] = mode })
				isolated := []string{allowWhoami, allowIngress}
				findings := validate.Policy(validate.PolicyWrite{
					Object: mesh.Object{Kind: policy.KindKNP, Namespace: "default", Name: "written"}, Operation: tt.operation, View: view,
					Before: sets(t, append(isolated, tt.before...)...), After: sets(t, append(isolated, tt.after...)...),
				})
				if diff := cmp.Diff(tt.want, briefly(validate.ApplyModes(view, findings))); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

func TestLabelsThatCutTheApp(t *testing.T) {
	before, after := scenario(withPods), scenario(withPods, func(v *mesh.View) { v.Namespaces["default"] = map[string]string{} })
	got := briefly(validate.Namespace(before, after, sets(t, allowWhoami, allowIngress, closePods, openPods), "default"))
	want := []string{`warn DPR109 with these labels companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8080/TCP: CiliumNetworkPolicy default/open-pods enables default deny at their ingress and no rule allows it, which HTTPRoute default/whoami-route needs`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
