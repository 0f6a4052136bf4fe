// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strconv"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// CoveringApp are the policies that daprise writes for an app's companion where policies are generated: ingress default deny with
// exactly the flows F2, F4 and F6, selected by the guarded label. With them App finds nothing, unless another policy opens or denies
// more. They carry no ownerReferences: the controller removes them after the last companion pod.
func CoveringApp(view *mesh.View, app mesh.App) []*ciliumv2.CiliumNetworkPolicy {
	cnp := coveringPolicy(app.AppRef, mesh.ComponentApp)
	var callers []api.EndpointSelector
	for _, ref := range look(view).callersOf(app) {
		callers = append(callers, companionSelector(ref))
	}
	if len(callers) > 0 {
		cnp.Spec.Ingress = append(cnp.Spec.Ingress, authenticated(view, fromEndpoints(callers, mesh.PortInternal)))
	}
	if app.DaprAPI && len(app.Selector) > 0 {
		own := api.NewESFromMatchRequirements(k8sLabels(app.Selector, app.Namespace), nil)
		cnp.Spec.Ingress = append(cnp.Spec.Ingress, fromEndpoints([]api.EndpointSelector{own}, app.HTTPPort(), app.GRPCPort()))
	}
	return []*ciliumv2.CiliumNetworkPolicy{finished(view, cnp)}
}

// CoveringIngress are the policies that daprise writes for an ingress companion where policies are generated: ingress default deny
// with exactly the flows F1 and F6, on the same terms as CoveringApp.
func CoveringIngress(view *mesh.View, ingress mesh.Ingress) []*ciliumv2.CiliumNetworkPolicy {
	cnp := coveringPolicy(ingress.AppRef, mesh.ComponentIngress)
	ports := []int32{mesh.PortHTTP}
	if ingress.GRPC {
		ports = append(ports, mesh.PortGRPC)
	}
	cnp.Spec.Ingress = append(cnp.Spec.Ingress, fromGateway(ports...))
	return []*ciliumv2.CiliumNetworkPolicy{finished(view, cnp)}
}

// Expected is the set as it will be once daprise has written the policies of a companion and the openings of its callers, in the
// namespaces where it writes them (mesh.View.PoliciesOf); elsewhere it is the set itself. A policy that has the name of one of them
// counts as replaced.
func (s *Set) Expected(view *mesh.View, ref mesh.AppRef) *Set {
	var written []*ciliumv2.CiliumNetworkPolicy
	refs := []mesh.AppRef{ref}
	if a, ok := view.App(ref); ok {
		refs = append(refs, look(view).callersOf(a)...)
	}
	for i, r := range refs {
		if view.PoliciesOf(r.Namespace) != mesh.PoliciesGenerate {
			continue
		}
		if g, ok := view.Ingress(r); ok && i == 0 {
			written = append(written, CoveringIngress(view, g)...)
		} else if a, ok := view.App(r); ok && i == 0 {
			written = append(written, CoveringApp(view, a)...)
		}
		written = append(written, Openings(view, s, r)...)
	}
	for _, cnp := range written {
		s = s.With(CompileCNP(cnp))
	}
	return s
}

func coveringPolicy(ref mesh.AppRef, component mesh.Component) *ciliumv2.CiliumNetworkPolicy {
	return &ciliumv2.CiliumNetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: KindCNP},
		ObjectMeta: metav1.ObjectMeta{
			Name: mesh.CompanionName(ref.ID), Namespace: ref.Namespace, Labels: mesh.ObjectLabels(ref.ID, component),
		},
		Spec: &api.Rule{
			EndpointSelector:  subjectSelector(ref),
			EnableDefaultDeny: api.DefaultDenyConfig{Ingress: new(true)},
		},
	}
}

// finished adds the scrapers, and where nobody may come in the rule that lets in nobody: without a rule there is no default deny.
func finished(view *mesh.View, cnp *ciliumv2.CiliumNetworkPolicy) *ciliumv2.CiliumNetworkPolicy {
	for _, s := range view.Config.Scrapers {
		cnp.Spec.Ingress = append(cnp.Spec.Ingress, fromEndpoints([]api.EndpointSelector{scraperSelector(s)}, mesh.PortMetrics))
	}
	if len(cnp.Spec.Ingress) == 0 {
		cnp.Spec.Ingress = []api.IngressRule{{}}
	}
	return cnp
}

// subjectSelector selects a companion's pods, by the label that none but daprise may set, inside the policy's namespace.
func subjectSelector(ref mesh.AppRef) api.EndpointSelector {
	return api.NewESFromMatchRequirements(map[string]string{mesh.LabelCompanion: ref.ID}, nil)
}

func companionSelector(ref mesh.AppRef) api.EndpointSelector {
	return api.NewESFromMatchRequirements(k8sLabels(map[string]string{mesh.LabelCompanion: ref.ID}, ref.Namespace), nil)
}

// k8sLabels are a selector's labels with the namespace written out.
func k8sLabels(labels map[string]string, namespace string) map[string]string {
	all := map[string]string{sourceK8s + ":" + keyNamespace: namespace}
	for k, v := range labels {
		all[k] = v
	}
	return all
}

func fromEndpoints(selectors []api.EndpointSelector, ports ...int32) api.IngressRule {
	return api.IngressRule{
		IngressCommonRule: api.IngressCommonRule{FromEndpoints: selectors},
		ToPorts:           toPorts(ports...),
	}
}

func fromGateway(ports ...int32) api.IngressRule {
	return api.IngressRule{
		IngressCommonRule: api.IngressCommonRule{FromEntities: api.EntitySlice{api.EntityIngress}},
		ToPorts:           toPorts(ports...),
	}
}

func toPorts(ports ...int32) api.PortRules {
	rule := api.PortRule{}
	for _, p := range ports {
		rule.Ports = append(rule.Ports, api.PortProtocol{Port: strconv.Itoa(int(p)), Protocol: api.ProtoTCP})
	}
	return api.PortRules{rule}
}

// scraperSelector turns a scraper of the config file into Cilium's terms.
func scraperSelector(s mesh.Scraper) api.EndpointSelector {
	source := Source{NamespaceSelector: &s.NamespaceSelector, PodSelector: &s.PodSelector}.selector()
	if !source.hasKey(keyNamespace) && !namesNamespaceLabel(source) {
		source = source.with(present(sourceK8s, keyNamespace))
	}
	var expressions []slim_metav1.LabelSelectorRequirement
	for _, r := range source {
		expressions = append(expressions, slim_metav1.LabelSelectorRequirement{
			Key: r.source + ":" + r.key, Operator: r.op.written(), Values: slices.Clone(r.values),
		})
	}
	return api.NewESFromMatchRequirements(nil, expressions)
}

func (op operator) written() slim_metav1.LabelSelectorOperator {
	switch op {
	case in:
		return slim_metav1.LabelSelectorOpIn
	case notIn:
		return slim_metav1.LabelSelectorOpNotIn
	case exists:
		return slim_metav1.LabelSelectorOpExists
	default:
		return slim_metav1.LabelSelectorOpDoesNotExist
	}
}
