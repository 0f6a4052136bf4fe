// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

func pod(name string, tweaks ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "cart"}}}
	p.Spec.ServiceAccountName = "default"
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}}}}
	for _, tweak := range tweaks {
		tweak(p)
	}
	return p
}

func owned(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Labels = map[string]string{mesh.LabelCompanion: "cart"}
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
	}
}

func TestPodSets(t *testing.T) {
	label := func(key, value string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Labels[key] = value } }
	for name, tt := range map[string]struct {
		pods []*corev1.Pod
		want []string
	}{
		"pods of one rollout are one set": {[]*corev1.Pod{pod("b", label("pod-template-hash", "1")), pod("a", label("pod-template-hash", "2"))}, []string{"a"}},
		"another label":                   {[]*corev1.Pod{pod("a"), pod("b", label("version", "v2"))}, []string{"a", "b"}},
		"another port":                    {[]*corev1.Pod{pod("a"), pod("b", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].ContainerPort = 80 })}, []string{"a", "b"}},
		"another account":                 {[]*corev1.Pod{pod("a"), pod("b", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "x" })}, []string{"a", "b"}},
		"one that has ended":              {[]*corev1.Pod{pod("a", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })}, nil},
		"on the node's network":           {[]*corev1.Pod{pod("a", func(p *corev1.Pod) { p.Spec.HostNetwork = true })}, nil},
		"of a companion's DaemonSet":      {[]*corev1.Pod{pod("a", owned("DaemonSet", "cart-dapr"))}, []string{"a of cart"}},
		"of a companion's Deployment":     {[]*corev1.Pod{pod("a", owned("ReplicaSet", "cart-dapr-5d9"))}, []string{"a of cart"}},
		"with the label alone":            {[]*corev1.Pod{pod("a", label(mesh.LabelCompanion, "cart"))}, []string{"a"}},
		"of somebody else's workload":     {[]*corev1.Pod{pod("a", owned("StatefulSet", "cart-dapr"))}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, set := range mesh.PodSets(tt.pods) {
				words := set.Name
				if set.Companion != "" {
					words += " of " + set.Companion
				}
				got = append(got, words)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	want := mesh.PodSet{Namespace: "shop", Name: "a", Labels: map[string]string{"app": "cart"}, ServiceAccount: "default", Ports: map[string]int32{"http": 8080}}
	if diff := cmp.Diff([]mesh.PodSet{want}, mesh.PodSets([]*corev1.Pod{pod("a", label("controller-revision-hash", "x"))})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestServiceSplits(t *testing.T) {
	backend := func(name string, weight int32) gatewayv1.HTTPBackendRef {
		ref := gatewayv1.HTTPBackendRef{}
		ref.Name, ref.Port, ref.Weight = gatewayv1.ObjectName(name), new(gatewayv1.PortNumber(80)), &weight
		return ref
	}
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "split"}}
	route.Spec.ParentRefs = []gatewayv1.ParentReference{{Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: "cart"}}
	route.Spec.Rules = []gatewayv1.HTTPRouteRule{
		{BackendRefs: []gatewayv1.HTTPBackendRef{backend("cart-v2", 10), backend("cart-v1", 90), backend("cart-v3", 0)}},
		{BackendRefs: []gatewayv1.HTTPBackendRef{backend("cart-v1", 1)}},
	}
	var got []string
	for _, s := range mesh.ServiceSplits(route) {
		got = append(got, s.Service.String()+" to "+s.Backend.String())
	}
	if diff := cmp.Diff([]string{"shop/cart to shop/cart-v1", "shop/cart to shop/cart-v2"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	route.Spec.ParentRefs[0] = gatewayv1.ParentReference{Name: "gateway"}
	if got := mesh.ServiceSplits(route); got != nil {
		t.Errorf("a route of a Gateway splits no Service: %v", got)
	}
}
