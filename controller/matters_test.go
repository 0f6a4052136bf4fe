// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestMatters(t *testing.T) {
	labelled := func(o client.Object) { o.SetLabels(map[string]string{"a": "b"}) }
	annotated := func(o client.Object) { o.SetAnnotations(map[string]string{"a": "b"}) }
	deleted := func(o client.Object) { o.SetDeletionTimestamp(&metav1.Time{}) }
	generation := func(o client.Object) { o.SetGeneration(2) }
	tests := []struct {
		name  string
		kind  kind
		old   client.Object
		tweak func(client.Object)
		want  bool
	}{
		{name: "conditions of a Service", kind: kindService, old: &corev1.Service{}, tweak: func(o client.Object) {
			o.(*corev1.Service).Status.Conditions = []metav1.Condition{{Type: "Companion"}}
		}},
		{name: "ports of a Service", kind: kindService, old: &corev1.Service{}, want: true, tweak: func(o client.Object) {
			o.(*corev1.Service).Spec.Ports = []corev1.ServicePort{{Port: 80}}
		}},
		{name: "status of a Deployment", kind: kindDeployment, old: &appsv1.Deployment{}, tweak: func(o client.Object) {
			o.(*appsv1.Deployment).Status.Replicas = 2
		}},
		{name: "status of a companion", kind: ownedDeployment, old: &appsv1.Deployment{}, want: true, tweak: func(o client.Object) {
			o.(*appsv1.Deployment).Status.Replicas = 2
		}},
		{name: "status of a Gateway", kind: kindGateway, old: &gatewayv1.Gateway{}, tweak: func(o client.Object) {
			o.(*gatewayv1.Gateway).Status.Conditions = []metav1.Condition{{Type: "Programmed"}}
		}},
		{name: "status of a route", kind: kindHTTPRoute, old: &gatewayv1.HTTPRoute{}, tweak: func(client.Object) {}},
		{name: "spec of a route", kind: kindHTTPRoute, old: &gatewayv1.HTTPRoute{}, tweak: generation, want: true},
		{name: "annotation of a route", kind: kindHTTPRoute, old: &gatewayv1.HTTPRoute{}, tweak: annotated, want: true},
		{name: "spec of a policy", kind: kindCiliumPolicy, old: &ciliumv2.CiliumNetworkPolicy{}, tweak: generation, want: true},
		{name: "status of a policy", kind: kindCiliumPolicy, old: &ciliumv2.CiliumNetworkPolicy{}, tweak: func(client.Object) {}},
		{name: "labels", kind: kindNamespace, old: &corev1.Namespace{}, tweak: labelled, want: true},
		{name: "deletion", kind: kindNamespace, old: &corev1.Namespace{}, tweak: deleted, want: true},
		{name: "another object of the same name", kind: kindNamespace, old: &corev1.Namespace{}, want: true, tweak: func(o client.Object) { o.SetUID("new") }},
		{name: "content of a ConfigMap", kind: kindConfigMap, old: &corev1.ConfigMap{}, want: true, tweak: func(client.Object) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			updated := test.old.DeepCopyObject().(client.Object)
			test.tweak(updated)
			if got := matters(change{kind: test.kind, old: test.old, new: updated}); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if !matters(change{kind: test.kind, new: updated}) || !matters(change{kind: test.kind, old: updated}) {
				t.Error("additions and deletions always matter")
			}
		})
	}
}
