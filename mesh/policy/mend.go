// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// covering is the YAML of the companion's covering policy: default deny with exactly its flows. It is the user's own: it has not the
// name and labels of what daprise generates.
func (j *judge) covering() string {
	var policies []*ciliumv2.CiliumNetworkPolicy
	if g, ok := j.view.Ingress(j.c.ref); ok && j.c.component == mesh.ComponentIngress {
		policies = CoveringIngress(j.view, g)
	} else if a, ok := j.view.App(j.c.ref); ok {
		policies = CoveringApp(j.view, a)
	}
	var docs []string
	for _, p := range policies {
		p.Name, p.Labels = p.Name+"-isolation", nil
		docs = append(docs, written(p))
	}
	return strings.Join(docs, "---\n")
}

// admitting is the YAML of a policy that lets one flow pass at one end and closes nothing.
func (j *judge) admitting(n need, d direction) string {
	switch {
	case d == ingress && !n.toApp:
		return j.covering()
	case d == egress && n.from.namespace == "":
		return written(&ciliumv2.CiliumClusterwideNetworkPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: KindCCNP},
			ObjectMeta: metav1.ObjectMeta{Name: "gateway-to-" + n.to.object + "-" + n.to.namespace},
			Spec:       opening(n.from).sending(n.to, n.port),
		})
	case d == egress:
		return written(namedPolicy(n.from.namespace, n.from.object+"-to-"+n.to.object, opening(n.from).sending(n.to, j.c.portsTo(n)...)))
	default:
		return written(namedPolicy(n.to.namespace, n.to.object+"-from-"+n.from.object, opening(n.to).receiving(n.from, j.c.portsTo(n)...)))
	}
}

// denying is the YAML of a policy that denies every source outside the allowed ones on the companion's ports, and closes nothing
// else: the complement of the allowed sources, port by port.
func (j *judge) denying() string {
	rule := &api.Rule{
		EndpointSelector:  subjectSelector(j.c.ref),
		EnableDefaultDeny: api.DefaultDenyConfig{Ingress: new(false)},
	}
	for _, port := range j.c.ports {
		rule.IngressDeny = append(rule.IngressDeny, denyAllBut(port)...)
	}
	return written(&ciliumv2.CiliumNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: KindCNP},
		ObjectMeta: metav1.ObjectMeta{Name: mesh.CompanionName(j.c.ref.ID) + "-deny", Namespace: j.c.ref.Namespace},
		Spec:       rule,
	})
}

// denyAllBut denies one port to all who may not reach it. The own node stays out of it: Cilium lets it in for the kubelet's probes.
func denyAllBut(port exposed) []api.IngressDenyRule {
	entities := api.EntitySlice{
		api.EntityWorld, api.EntityRemoteNode, api.EntityHealth, api.EntityInit, api.EntityUnmanaged, api.EntityIngress,
	}
	allowed := port.sources()
	entities = slices.DeleteFunc(entities, func(e api.Entity) bool {
		return slices.ContainsFunc(allowed, func(a Source) bool { return a.Entity == string(e) })
	})
	ports := api.PortDenyRules{{Ports: []api.PortProtocol{{Port: strconv.Itoa(int(port.port)), Protocol: api.ProtoTCP}}}}
	rules := []api.IngressDenyRule{{IngressCommonRule: api.IngressCommonRule{FromEntities: entities}, ToPorts: ports}}
	return append(rules, api.IngressDenyRule{
		IngressCommonRule: api.IngressCommonRule{FromEndpoints: complement(allowed)}, ToPorts: ports,
	})
}

// complement selects the pods, of any cluster, that none of the sources stands for. Of the labels by which a companion is known it
// keeps the guarded one: the deny is then stricter than it must be.
func complement(allowed []Source) []api.EndpointSelector {
	byNamespace := map[string][]map[string]string{}
	for _, a := range allowed {
		_, byAppID := a.Labels[mesh.AnnotationAppID]
		_, byServiceAccount := a.Labels[keyServiceAccount]
		if a.Entity == "" && (len(a.Labels) != 1 || !byAppID && !byServiceAccount) {
			byNamespace[a.Namespace] = append(byNamespace[a.Namespace], a.Labels)
		}
	}
	namespaces := slices.Sorted(maps.Keys(byNamespace))
	elsewhere := []slim_metav1.LabelSelectorRequirement{
		expression(sourceK8s+":"+keyCluster, exists), expression(sourceK8s+":"+keyNamespace, exists),
	}
	if len(namespaces) > 0 {
		elsewhere = append(elsewhere, expression(sourceK8s+":"+keyNamespace, notIn, namespaces...))
	}
	list := []api.EndpointSelector{api.NewESFromMatchRequirements(nil, elsewhere)}
	for _, namespace := range namespaces {
		for _, lacking := range lackingAll(byNamespace[namespace]) {
			lacking = append(lacking, expression(sourceK8s+":"+keyCluster, exists), expression(sourceK8s+":"+keyNamespace, in, namespace))
			list = append(list, api.NewESFromMatchRequirements(nil, lacking))
		}
	}
	return list
}

// lackingAll selects the pods that have none of the label sets whole: each alternative picks one label of every set to lack.
func lackingAll(sets []map[string]string) [][]slim_metav1.LabelSelectorRequirement {
	alternatives := []map[string][]string{{}}
	for _, set := range sets {
		var next []map[string][]string
		for _, alternative := range alternatives {
			for _, key := range slices.Sorted(maps.Keys(set)) {
				picked := maps.Clone(alternative)
				picked[key] = append(slices.Clone(picked[key]), set[key])
				next = append(next, picked)
			}
		}
		alternatives = next
	}
	var list [][]slim_metav1.LabelSelectorRequirement
	for _, alternative := range alternatives {
		var lacking []slim_metav1.LabelSelectorRequirement
		for _, key := range slices.Sorted(maps.Keys(alternative)) {
			lacking = append(lacking, expression(sourceK8s+":"+key, notIn, alternative[key]...))
		}
		list = append(list, lacking)
	}
	return list
}

func expression(key string, op operator, values ...string) slim_metav1.LabelSelectorRequirement {
	return slim_metav1.LabelSelectorRequirement{Key: key, Operator: op.written(), Values: values}
}

// written is an object as YAML, without what the API server fills in.
func written(object any) string {
	data, err := json.Marshal(object)
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		return fmt.Sprintf("# %v\n", err)
	}
	delete(fields, "status")
	if meta, ok := fields["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	out, err := yaml.Marshal(fields)
	if err != nil {
		return fmt.Sprintf("# %v\n", err)
	}
	return string(out)
}
