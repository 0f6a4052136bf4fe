// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"encoding/json"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// deployment is the scenario's companion as rendered.
func deployment() *appsv1.Deployment {
	objects := companion.App(whoami(), input())
	d, ok := objects[len(objects)-1].(*appsv1.Deployment)
	if !ok {
		panic("the workload of an app with strategy deployment is no Deployment")
	}
	return d
}

// stored is what an API server makes of a deployment: defaults, status, bookkeeping. (test/companions asks a real one.)
func stored() *appsv1.Deployment {
	d := deployment()
	d.UID, d.ResourceVersion, d.Generation = "7d9c", "1042", 1
	d.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	d.Spec.ProgressDeadlineSeconds = new(int32(600))
	d.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst
	d.Spec.Template.Spec.SchedulerName = corev1.DefaultSchedulerName
	d.Spec.Template.Spec.DeprecatedServiceAccount = d.Spec.Template.Spec.ServiceAccountName
	d.Spec.Template.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log"
	d.Spec.Template.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageReadFile
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
	return d
}

func TestUpToDate(t *testing.T) {
	container := func(d *appsv1.Deployment) *corev1.Container { return &d.Spec.Template.Spec.Containers[0] }
	tests := []struct {
		name  string
		tweak func(live *appsv1.Deployment)
		want  bool
	}{
		{name: "as stored", tweak: func(*appsv1.Deployment) {}, want: true},
		{name: "another's label", tweak: func(d *appsv1.Deployment) { d.Labels["team"] = "shop" }, want: true},
		{name: "another's owner", tweak: func(d *appsv1.Deployment) {
			d.OwnerReferences = append(d.OwnerReferences[:0:0], d.OwnerReferences...)
			d.OwnerReferences = append(d.OwnerReferences, d.OwnerReferences[0])
			d.OwnerReferences[0].UID = "another"
		}, want: true},
		{name: "another's variable, in front", tweak: func(d *appsv1.Deployment) {
			container(d).Env = append([]corev1.EnvVar{{Name: "INJECTED", Value: "1"}}, container(d).Env...)
		}, want: true},
		{name: "our label gone", tweak: func(d *appsv1.Deployment) { delete(d.Labels, mesh.LabelManagedBy) }},
		{name: "owned by an older object of the name", tweak: func(d *appsv1.Deployment) { d.OwnerReferences[0].UID = "older" }},
		{name: "scaled by hand", tweak: func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(5)) }},
		{name: "an argument more", tweak: func(d *appsv1.Deployment) { container(d).Args = append(container(d).Args, "--enable-profiling") }},
		{name: "an argument less", tweak: func(d *appsv1.Deployment) { container(d).Args = container(d).Args[1:] }},
		{name: "another image", tweak: func(d *appsv1.Deployment) { container(d).Image = "example.com/daprd" }},
		{name: "other trust anchors", tweak: func(d *appsv1.Deployment) { container(d).Env[3].Value = "old" }},
		{name: "a variable gone", tweak: func(d *appsv1.Deployment) { container(d).Env = container(d).Env[1:] }},
		{name: "a limit lifted", tweak: func(d *appsv1.Deployment) { delete(container(d).Resources.Limits, corev1.ResourceMemory) }},
		{name: "a quantity spelt otherwise", tweak: func(d *appsv1.Deployment) {
			container(d).Resources.Limits[corev1.ResourceMemory] = *resourceOf("536870912")
		}},
		{name: "writable root", tweak: func(d *appsv1.Deployment) { container(d).SecurityContext.ReadOnlyRootFilesystem = new(false) }},
		{name: "a probe's port by name", tweak: func(d *appsv1.Deployment) {
			container(d).LivenessProbe.TCPSocket.Port = intstr.FromString("dapr-http")
		}},
		{name: "token mounted", tweak: func(d *appsv1.Deployment) { d.Spec.Template.Spec.AutomountServiceAccountToken = new(true) }},
		{name: "no template", tweak: func(d *appsv1.Deployment) { d.Spec.Template = corev1.PodTemplateSpec{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			live := stored()
			tt.tweak(live)
			upToDate(t, deployment(), live, tt.want)
			upToDate(t, deployment(), throughJSON(t, live), tt.want)
			// As typed clients hand it out.
			live.TypeMeta = metav1.TypeMeta{}
			upToDate(t, deployment(), live, tt.want)
		})
	}
}

// TestUpToDatePolicy: the ports of a policy have no names to be merged by.
func TestUpToDatePolicy(t *testing.T) {
	policy := func(second string) *ciliumv2.CiliumNetworkPolicy {
		return &ciliumv2.CiliumNetworkPolicy{Spec: &api.Rule{Ingress: []api.IngressRule{{ToPorts: api.PortRules{{Ports: []api.PortProtocol{
			{Port: "3500", Protocol: api.ProtoTCP}, {Port: second, Protocol: api.ProtoTCP},
		}}}}}}}
	}
	upToDate(t, policy("50001"), policy("50001"), true)
	upToDate(t, policy("50001"), policy("50002"), false)
}

// upToDate also checks that neither argument is modified.
func upToDate(t *testing.T, desired, live runtime.Object, want bool) {
	t.Helper()
	before := dump(desired, live)
	got, err := companion.UpToDate(desired, live)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("UpToDate of %T: %v", live, got)
	}
	if diff := cmp.Diff(before, dump(desired, live)); diff != "" {
		t.Errorf("modified its arguments (-before +after):\n%s", diff)
	}
}

// throughJSON is an object as an unstructured client reads it: all numbers are floats or integers as JSON has them.
func throughJSON(t *testing.T, object runtime.Object) *unstructured.Unstructured {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRenderedIsUpToDateWithItself, and with itself only: what differs in content is told apart.
func TestRenderedIsUpToDateWithItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, in := apps().Draw(t, "a"), apps().Draw(t, "b"), inputs().Draw(t, "input")
		b.ID = a.ID
		for _, desired := range companion.App(a, in) {
			for _, live := range companion.App(b, in) {
				got, err := companion.UpToDate(desired, live)
				if err != nil {
					t.Fatal(err)
				}
				if same := contentOf(t, desired) == contentOf(t, live); same && !got {
					t.Errorf("not up to date with itself:\n%s", contentOf(t, desired))
				}
				back, err := companion.UpToDate(live, desired)
				if err != nil {
					t.Fatal(err)
				}
				if got && back && contentOf(t, desired) != contentOf(t, live) {
					t.Errorf("taken for the same:\n%s", cmp.Diff(contentOf(t, desired), contentOf(t, live)))
				}
			}
		}
	})
}

func contentOf(t *rapid.T, object runtime.Object) string {
	content, err := companion.Content(object)
	if err != nil {
		t.Fatal(err)
	}
	return dump(content.Object)
}

// TestUpToDateWithoutManagedFields: then a list that is applied as a whole has to be as rendered, to the last key of its elements.
func TestUpToDateWithoutManagedFields(t *testing.T) {
	policy := func(tweak func(*api.PortProtocol)) *ciliumv2.CiliumNetworkPolicy {
		port := api.PortProtocol{Port: "3500", Protocol: api.ProtoTCP}
		tweak(&port)
		return &ciliumv2.CiliumNetworkPolicy{Spec: &api.Rule{Ingress: []api.IngressRule{{ToPorts: api.PortRules{{Ports: []api.PortProtocol{port}}}}}}}
	}
	wanted := policy(func(*api.PortProtocol) {})
	upToDate(t, wanted, policy(func(*api.PortProtocol) {}), true)
	upToDate(t, wanted, policy(func(p *api.PortProtocol) { p.EndPort = 65535 }), false)

	d := stored()
	d.Spec.Template.Spec.Volumes[0].Projected.Sources[0].ConfigMap = &corev1.ConfigMapProjection{}
	upToDate(t, deployment(), d, false)
}
