// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/cilium/cilium/pkg/policy/api"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CompileKNP compiles a Kubernetes NetworkPolicy as Cilium understands it (cilium pkg/k8s/network_policy.go): allow rules alone,
// default deny in the directions that it has, and a rule without from or to for every peer, the gateway included. It does not
// modify np.
func CompileKNP(np *networkingv1.NetworkPolicy) *Policy {
	namespace := np.Namespace
	if namespace == "" {
		namespace = "default"
	}
	k := &knpCompiler{policy: &Policy{ref: Ref{Kind: KindKNP, Namespace: namespace, Name: np.Name}}}
	k.subject = podSelector(&np.Spec.PodSelector).with(equals(sourceK8s, keyNamespace, namespace))
	k.policy.subject = []selector{k.subject}
	for i, r := range np.Spec.Ingress {
		k.add(ingress, i, k.peers(r.From), r.Ports)
	}
	for i, r := range np.Spec.Egress {
		k.add(egress, i, k.peers(r.To), r.Ports)
	}
	hasIngress := slices.Contains(np.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	hasEgress := slices.Contains(np.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	if len(np.Spec.Ingress) == 0 && (hasIngress || !hasEgress) {
		k.close(ingress)
	}
	if len(np.Spec.Egress) == 0 && hasEgress {
		k.close(egress)
	}
	k.policy.finish()
	return k.policy
}

type knpCompiler struct {
	policy  *Policy
	subject selector
}

// close adds the rule that matches nothing and closes its direction by being there.
func (k *knpCompiler) close(d direction) {
	k.policy.rules = append(k.policy.rules, &rule{
		policy: k.policy, subject: k.subject, direction: d, defaultDeny: true, path: element{direction: d}.path(),
	})
}

func (k *knpCompiler) add(d direction, index int, p peers, ports []networkingv1.NetworkPolicyPort) {
	r := &rule{
		policy: k.policy, subject: k.subject, direction: d, defaultDeny: true, path: element{direction: d}.path(), index: index,
		peers: p.list, anyPeer: p.any, anyPort: len(ports) == 0,
	}
	for _, np := range ports {
		pp := api.PortProtocol{Port: "0", Protocol: api.ProtoTCP}
		if np.Port != nil {
			pp.Port = np.Port.String()
		}
		if np.EndPort != nil {
			pp.EndPort = *np.EndPort
		}
		if np.Protocol != nil {
			protocol, err := api.ParseL4Proto(string(*np.Protocol))
			if err != nil {
				k.policy.reject(err.Error())
				return
			}
			pp.Protocol = protocol
		}
		r.ports = append(r.ports, expand(pp)...)
	}
	r.date()
	k.policy.rules = append(k.policy.rules, r)
}

func (k *knpCompiler) peers(from []networkingv1.NetworkPolicyPeer) peers {
	p := peers{any: len(from) == 0}
	for _, f := range from {
		if f.IPBlock == nil {
			p.list = append(p.list, peer{selector: k.pods(f)})
			continue
		}
		rule := api.CIDRRule{Cidr: api.CIDR(f.IPBlock.CIDR)}
		for _, e := range f.IPBlock.Except {
			rule.ExceptCIDRs = append(rule.ExceptCIDRs, api.CIDR(e))
		}
		p.list = append(p.list, cidrPeers(nil, api.CIDRRuleSlice{rule})...)
	}
	return p
}

// pods reads one peer of namespaceSelector and podSelector.
func (k *knpCompiler) pods(f networkingv1.NetworkPolicyPeer) selector {
	var s selector
	if f.PodSelector != nil {
		s = podSelector(f.PodSelector)
	}
	if !s.hasKey(keyCluster) {
		s = s.with(impliedCluster())
	}
	if f.NamespaceSelector == nil {
		return s.with(equals(sourceK8s, keyNamespace, k.policy.ref.Namespace))
	}
	namespaces := podSelector(f.NamespaceSelector)
	for i := range namespaces {
		namespaces[i].source, namespaces[i].key = sourceK8s, keyNamespaceLabels+"."+unsourced(namespaces[i])
	}
	if len(namespaces) == 0 {
		namespaces = selector{present(sourceK8s, keyNamespace)}
	}
	return append(s, namespaces...)
}

// unsourced is a requirement's key as the user wrote it.
func unsourced(r requirement) string {
	if r.source == sourceK8s {
		return r.key
	}
	return r.source + ":" + r.key
}

// podSelector reads a Kubernetes selector: keys without a source are those of Kubernetes.
func podSelector(ls *metav1.LabelSelector) selector {
	s := make(selector, 0, len(ls.MatchLabels)+len(ls.MatchExpressions)+2)
	for key, value := range ls.MatchLabels {
		s = append(s, requirementOf(k8sKey(key), in, []string{value}))
	}
	for _, e := range ls.MatchExpressions {
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			s = append(s, requirementOf(k8sKey(e.Key), in, slices.Clone(e.Values)))
		case metav1.LabelSelectorOpNotIn:
			s = append(s, requirementOf(k8sKey(e.Key), notIn, slices.Clone(e.Values)))
		case metav1.LabelSelectorOpExists:
			s = append(s, requirementOf(k8sKey(e.Key), exists, nil))
		case metav1.LabelSelectorOpDoesNotExist:
			s = append(s, requirementOf(k8sKey(e.Key), doesNotExist, nil))
		}
	}
	s.sort()
	return s
}

func k8sKey(key string) string {
	if strings.Contains(key, ":") {
		return key
	}
	return sourceK8s + ":" + key
}
