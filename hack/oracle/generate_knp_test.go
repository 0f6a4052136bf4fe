// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// knp draws a Kubernetes NetworkPolicy as the API server would store it: policyTypes are always there.
func knp(t *rapid.T, name string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: rapid.SampledFrom([]string{"default", "default", "shop"}).Draw(t, "policy namespace")}}
	p.Spec.PodSelector = *k8sSelector(t, "subject")
	p.Spec.PolicyTypes = rapid.SampledFrom([][]networkingv1.PolicyType{
		{networkingv1.PolicyTypeIngress}, {networkingv1.PolicyTypeIngress}, {networkingv1.PolicyTypeEgress},
		{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}, nil,
	}).Draw(t, "policy types")
	for range rapid.IntRange(0, 2).Draw(t, "ingress") {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: k8sPeers(t), Ports: k8sPorts(t)})
	}
	for range rapid.IntRange(0, 1).Draw(t, "egress") {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: k8sPeers(t), Ports: k8sPorts(t)})
	}
	return p
}

func k8sPeers(t *rapid.T) []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for range rapid.IntRange(0, 2).Draw(t, "peers") {
		switch rapid.IntRange(0, 4).Draw(t, "peer kind") {
		case 0:
			block := &networkingv1.IPBlock{CIDR: rapid.SampledFrom([]string{"0.0.0.0/0", "10.0.0.0/8"}).Draw(t, "block")}
			if rapid.Bool().Draw(t, "has except") {
				block.Except = []string{"10.1.0.0/16"}
			}
			peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: block})
		case 1:
			peers = append(peers, networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaceSelector(t)})
		case 2:
			peers = append(peers, networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaceSelector(t), PodSelector: k8sSelector(t, "peer")})
		default:
			peers = append(peers, networkingv1.NetworkPolicyPeer{PodSelector: k8sSelector(t, "peer")})
		}
	}
	return peers
}

func k8sPorts(t *rapid.T) []networkingv1.NetworkPolicyPort {
	var ports []networkingv1.NetworkPolicyPort
	for range rapid.IntRange(0, 2).Draw(t, "ports") {
		var p networkingv1.NetworkPolicyPort
		if rapid.IntRange(0, 3).Draw(t, "has port") > 0 {
			port := rapid.SampledFrom([]intstr.IntOrString{
				intstr.FromInt32(50002), intstr.FromInt32(3500), intstr.FromInt32(80), intstr.FromString("http"), intstr.FromString("missing"),
			}).Draw(t, "port")
			p.Port = &port
			if port.Type == intstr.Int && rapid.IntRange(0, 3).Draw(t, "range") == 0 {
				p.EndPort = new(int32(60000))
			}
		}
		if rapid.Bool().Draw(t, "has protocol") {
			p.Protocol = new(rapid.SampledFrom([]corev1.Protocol{"TCP", "UDP", "SCTP"}).Draw(t, "protocol"))
		}
		ports = append(ports, p)
	}
	return ports
}

func k8sSelector(t *rapid.T, name string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if rapid.Bool().Draw(t, name+" labels") {
		k := rapid.SampledFrom([]string{"app", "dapr.io/app-id", "tier"}).Draw(t, name+" key")
		s.MatchLabels = map[string]string{k: rapid.SampledFrom(vocabulary{}.labels()[k]).Draw(t, name+" value")}
	}
	if rapid.IntRange(0, 3).Draw(t, name+" expressions") == 0 {
		op := rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"}).Draw(t, name+" operator")
		e := metav1.LabelSelectorRequirement{Key: rapid.SampledFrom(vocabulary{}.keys()).Draw(t, name+" key"), Operator: op}
		if op == "In" || op == "NotIn" {
			e.Values = []string{"a", "whoami", "x"}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func namespaceSelector(t *rapid.T) *metav1.LabelSelector {
	return rapid.SampledFrom([]*metav1.LabelSelector{
		{}, {MatchLabels: map[string]string{"team": "a"}}, {MatchLabels: map[string]string{"kubernetes.io/metadata.name": "shop"}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "env", Operator: "DoesNotExist"}}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "NotIn", Values: []string{"b"}}}},
	}).Draw(t, "namespace selector")
}
