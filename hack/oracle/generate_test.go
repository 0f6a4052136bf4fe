// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"net/netip"
	"strings"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh/policy"
)

// vocabulary is small, so that selectors and endpoints meet.
type vocabulary struct{}

func (vocabulary) namespaces() []string { return []string{"default", "shop", "ops"} }

func (vocabulary) namespaceLabels(namespace string) map[string]string {
	return map[string]map[string]string{
		"default": {"team": "a"}, "shop": {"team": "b", "env": "prod"}, "ops": {},
	}[namespace]
}

func (vocabulary) labels() map[string][]string {
	return map[string][]string{
		"app": {"a", "b", "c"}, "dapr.io/app-id": {"whoami", "ingress"}, "daprise.dev/companion": {"whoami", "ingress"}, "tier": {"x", "y"},
	}
}

func (vocabulary) keys() []string {
	return []string{"app", "app", "dapr.io/app-id", "dapr.io/app-id", "daprise.dev/companion", "tier", "absent"}
}

// endpoint draws one end of a flow.
func endpoint(t *rapid.T, name string) policy.Endpoint {
	v := vocabulary{}
	switch rapid.IntRange(0, 9).Draw(t, name+" kind") {
	case 0, 1:
		return policy.Endpoint{Entity: rapid.SampledFrom([]string{
			"ingress", "ingress", "host", "remote-node", "kube-apiserver", "world", "world-ipv4", "world-ipv6", "health", "init", "unmanaged",
		}).Draw(t, name+" entity")}
	case 2:
		address := netip.MustParseAddr(rapid.SampledFrom([]string{"10.0.0.1", "10.1.2.3", "192.0.2.7", "2001:db8::1"}).Draw(t, name+" address"))
		if rapid.IntRange(0, 5).Draw(t, name+" api server") == 0 {
			return policy.Endpoint{Entity: "kube-apiserver", Address: address}
		}
		return policy.Endpoint{Address: address}
	}
	e := policy.Endpoint{
		Namespace: rapid.SampledFrom(v.namespaces()).Draw(t, name+" namespace"),
		Labels:    map[string]string{},
		Ports:     map[string]int32{"http": 8080, "dapr-internal": 50002},
	}
	e.NamespaceLabels = v.namespaceLabels(e.Namespace)
	for _, key := range []string{"app", "dapr.io/app-id", "daprise.dev/companion", "tier"} {
		if rapid.Bool().Draw(t, name+" has "+key) {
			e.Labels[key] = rapid.SampledFrom(v.labels()[key]).Draw(t, name+" "+key)
		}
	}
	if rapid.Bool().Draw(t, name+" has account") {
		e.ServiceAccount = rapid.SampledFrom([]string{"default", "web"}).Draw(t, name+" account")
	}
	if rapid.IntRange(0, 9).Draw(t, name+" cluster") == 0 {
		e.Cluster = "other"
	}
	if rapid.IntRange(0, 3).Draw(t, name+" ports") == 0 {
		e.Ports = map[string]int32{"http": 80}
	}
	return e
}

func flow(t *rapid.T) policy.Flow {
	if rapid.IntRange(0, 19).Draw(t, "icmp flow") == 0 {
		return policy.Flow{From: endpoint(t, "from"), To: endpoint(t, "to"), Port: 8, Protocol: "ICMP"}
	}
	return policy.Flow{
		From: endpoint(t, "from"), To: endpoint(t, "to"),
		Port:     rapid.SampledFrom([]int32{53, 80, 3500, 3501, 8080, 50001, 50002, 50002}).Draw(t, "port"),
		Protocol: policy.Protocol(rapid.SampledFrom([]string{"TCP", "TCP", "TCP", "TCP", "UDP", "SCTP"}).Draw(t, "protocol")),
	}
}

// key draws a selector's key with or without a source.
func key(t *rapid.T, name string) string {
	plain := rapid.SampledFrom([]string{"", "", "k8s:", "any:"}).Draw(t, name+" source")
	return plain + rapid.SampledFrom(vocabulary{}.keys()).Draw(t, name+" key")
}

// requirement draws a special condition: on the namespace, its labels, the cluster, the account or a reserved label.
func special(t *rapid.T, name string, into *slim_metav1.LabelSelector) {
	source := rapid.SampledFrom([]string{"", "k8s:", "any:"}).Draw(t, name+" source")
	add := func(key, value string) {
		if rapid.Bool().Draw(t, name+" as expression") {
			into.MatchExpressions = append(into.MatchExpressions, expression(t, name, key, []string{value, "nothing"}))
			return
		}
		into.MatchLabels[key] = value
	}
	switch rapid.IntRange(0, 6).Draw(t, name+" special") {
	case 0, 1:
		add(source+"io.kubernetes.pod.namespace", rapid.SampledFrom(vocabulary{}.namespaces()).Draw(t, name+" namespace"))
	case 2:
		add(source+"io.cilium.k8s.namespace.labels.team", rapid.SampledFrom([]string{"a", "b"}).Draw(t, name+" team"))
	case 3:
		add(source+"io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", rapid.SampledFrom(vocabulary{}.namespaces()).Draw(t, name+" namespace"))
	case 4:
		add(source+"io.cilium.k8s.policy.cluster", rapid.SampledFrom([]string{"default", "other"}).Draw(t, name+" cluster"))
	case 5:
		add(source+"io.cilium.k8s.policy.serviceaccount", rapid.SampledFrom([]string{"default", "web"}).Draw(t, name+" account"))
	default:
		add("reserved:"+rapid.SampledFrom([]string{"ingress", "host", "world", "remote-node", "init", "kube-apiserver"}).Draw(t, name+" reserved"), "")
	}
}

func expression(t *rapid.T, name, key string, values []string) slim_metav1.LabelSelectorRequirement {
	op := rapid.SampledFrom([]slim_metav1.LabelSelectorOperator{
		slim_metav1.LabelSelectorOpIn, slim_metav1.LabelSelectorOpIn, slim_metav1.LabelSelectorOpNotIn,
		slim_metav1.LabelSelectorOpExists, slim_metav1.LabelSelectorOpDoesNotExist,
	}).Draw(t, name+" operator")
	e := slim_metav1.LabelSelectorRequirement{Key: key, Operator: op}
	if op == slim_metav1.LabelSelectorOpIn || op == slim_metav1.LabelSelectorOpNotIn {
		e.Values = values[:rapid.IntRange(1, len(values)).Draw(t, name+" values")]
	}
	return e
}

func selector(t *rapid.T, name string) api.EndpointSelector {
	ls := &slim_metav1.LabelSelector{MatchLabels: map[string]string{}}
	for range rapid.IntRange(0, 2).Draw(t, name+" labels") {
		k := key(t, name)
		// One label named twice, as "app" and "any:app", is one of the two at random in Cilium.
		delete(ls.MatchLabels, strings.TrimPrefix(k, "any:"))
		delete(ls.MatchLabels, "any:"+k)
		ls.MatchLabels[k] = rapid.SampledFrom([]string{"a", "b", "whoami", "ingress", "x"}).Draw(t, name+" value")
	}
	if rapid.IntRange(0, 2).Draw(t, name+" expressions") == 0 {
		ls.MatchExpressions = append(ls.MatchExpressions, expression(t, name, key(t, name), []string{"a", "whoami", "x"}))
	}
	if rapid.IntRange(0, 2).Draw(t, name+" specials") == 0 {
		special(t, name, ls)
	}
	return api.EndpointSelector{LabelSelector: ls}
}

func subject(t *rapid.T) api.EndpointSelector {
	switch rapid.IntRange(0, 5).Draw(t, "subject kind") {
	case 0:
		return api.EndpointSelector{LabelSelector: &slim_metav1.LabelSelector{}}
	case 1:
		return api.EndpointSelector{LabelSelector: &slim_metav1.LabelSelector{MatchLabels: map[string]string{
			"dapr.io/app-id": rapid.SampledFrom([]string{"whoami", "ingress"}).Draw(t, "subject app"),
		}}}
	default:
		return selector(t, "subject")
	}
}

// portProtocols draws the ports of one element of toPorts.
func portProtocols(t *rapid.T) []api.PortProtocol {
	var ports []api.PortProtocol
	for range rapid.IntRange(0, 2).Draw(t, "ports") {
		p := api.PortProtocol{
			Port:     rapid.SampledFrom([]string{"50002", "50002", "3500", "80", "0", "http", "dapr-internal", "HTTP", "3000", "missing"}).Draw(t, "port"),
			Protocol: rapid.SampledFrom([]api.L4Proto{"TCP", "TCP", "UDP", "ANY", "", "SCTP", "tcp"}).Draw(t, "protocol"),
		}
		if rapid.IntRange(0, 3).Draw(t, "range") == 0 {
			p.EndPort = rapid.SampledFrom([]int32{3501, 8080, 50002, 60000, 10}).Draw(t, "end port")
		}
		ports = append(ports, p)
	}
	return ports
}

func toPorts(t *rapid.T) api.PortRules {
	var rules api.PortRules
	for range rapid.IntRange(0, 2).Draw(t, "toPorts") {
		r := api.PortRule{Ports: portProtocols(t)}
		if rapid.IntRange(0, 5).Draw(t, "layer 7") == 0 {
			layer7(t, &r)
		}
		rules = append(rules, r)
	}
	if rules == nil && rapid.IntRange(0, 5).Draw(t, "empty toPorts") == 0 {
		return api.PortRules{}
	}
	return rules
}

// layer7 adds rules for the proxy.
func layer7(t *rapid.T, r *api.PortRule) {
	r.Ports = []api.PortProtocol{{
		Port:     rapid.SampledFrom([]string{"80", "3500", "50002", "http", "53"}).Draw(t, "layer 7 port"),
		Protocol: rapid.SampledFrom([]api.L4Proto{"TCP", "TCP", "TCP", "ANY"}).Draw(t, "layer 7 protocol"),
	}}
	switch rapid.IntRange(0, 7).Draw(t, "layer 7 kind") {
	case 0:
		r.Ports[0].Port = rapid.SampledFrom([]string{"53", "53", "53", "53", "80"}).Draw(t, "DNS port")
		r.Rules = &api.L7Rules{DNS: api.PortRulesDNS{{MatchPattern: rapid.SampledFrom([]string{"*", "*.example.org"}).Draw(t, "pattern")}}}
	case 1:
		r.ServerNames = []api.ServerName{"example.org"}
	case 2:
		r.Listener = &api.Listener{
			EnvoyConfig: &api.EnvoyConfig{Kind: rapid.SampledFrom([]string{"CiliumClusterwideEnvoyConfig", "CiliumEnvoyConfig"}).Draw(t, "config"), Name: "proxy"},
			Name:        rapid.SampledFrom([]string{"one", "two"}).Draw(t, "listener"),
		}
	default:
		r.Rules = &api.L7Rules{HTTP: api.PortRulesHTTP{{Method: rapid.SampledFrom([]string{"GET", ""}).Draw(t, "method")}}}
	}
}

func denyPorts(t *rapid.T) api.PortDenyRules {
	var rules api.PortDenyRules
	for range rapid.IntRange(0, 2).Draw(t, "toPorts") {
		rules = append(rules, api.PortDenyRule{Ports: portProtocols(t)})
	}
	return rules
}

// icmps draws ICMP rules, which Cilium does not accept beside toPorts.
func icmps(t *rapid.T, ports api.PortRules) api.ICMPRules {
	if len(ports) > 0 && rapid.IntRange(0, 30).Draw(t, "invalid icmp") > 0 || rapid.IntRange(0, 7).Draw(t, "icmp") > 0 {
		return nil
	}
	return api.ICMPRules{{Fields: []api.ICMPField{{Family: "IPv4", Type: &intstr.IntOrString{IntVal: 8}}}}}
}

func authentication(t *rapid.T) *api.Authentication {
	if rapid.IntRange(0, 15).Draw(t, "authentication") > 0 {
		return nil
	}
	return &api.Authentication{Mode: rapid.SampledFrom([]api.AuthenticationMode{"required", "required", "disabled", "test-always-fail"}).Draw(t, "mode")}
}

func entities(t *rapid.T) api.EntitySlice {
	var list api.EntitySlice
	for range rapid.IntRange(0, 2).Draw(t, "entities") {
		list = append(list, rapid.SampledFrom([]api.Entity{
			"all", "world", "cluster", "cluster-mesh", "host", "init", "ingress", "ingress", "unmanaged", "remote-node", "health", "none",
			"kube-apiserver", "world-ipv4", "world-ipv6",
		}).Draw(t, "entity"))
	}
	if list == nil {
		return api.EntitySlice{}
	}
	return list
}

func cidrs(t *rapid.T) api.CIDRSlice {
	var list api.CIDRSlice
	for range rapid.IntRange(1, 2).Draw(t, "cidrs") {
		list = append(list, rapid.SampledFrom([]api.CIDR{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "::/0", "2001:db8::/32"}).Draw(t, "cidr"))
	}
	return list
}

// groups are those that rules may name. They overlap.
func groups() []any {
	group := func(name, site string, cidrs ...api.CIDR) *ciliumv2.CiliumCIDRGroup {
		return &ciliumv2.CiliumCIDRGroup{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"site": site}},
			Spec:       ciliumv2.CiliumCIDRGroupSpec{ExternalCIDRs: cidrs},
		}
	}
	return []any{group("offices", "a", "10.1.0.0/16", "2001:db8::/32"), group("lab", "b", "10.0.0.0/8", "192.0.2.7/32")}
}

func groupSelector(t *rapid.T) api.EndpointSelector {
	e := slim_metav1.LabelSelectorRequirement{Key: rapid.SampledFrom([]string{"site", "floor"}).Draw(t, "group label")}
	e.Operator = rapid.SampledFrom([]slim_metav1.LabelSelectorOperator{
		slim_metav1.LabelSelectorOpIn, slim_metav1.LabelSelectorOpNotIn, slim_metav1.LabelSelectorOpExists, slim_metav1.LabelSelectorOpDoesNotExist,
	}).Draw(t, "group operator")
	if e.Operator == slim_metav1.LabelSelectorOpIn || e.Operator == slim_metav1.LabelSelectorOpNotIn {
		e.Values = []string{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "group value")}
	}
	return api.EndpointSelector{LabelSelector: &slim_metav1.LabelSelector{MatchExpressions: []slim_metav1.LabelSelectorRequirement{e}}}
}

func cidrSet(t *rapid.T) api.CIDRRuleSlice {
	switch rapid.IntRange(0, 4).Draw(t, "cidr group") {
	case 0:
		return api.CIDRRuleSlice{{CIDRGroupRef: rapid.SampledFrom([]api.CIDRGroupRef{"offices", "lab", "gone"}).Draw(t, "group")}}
	case 1:
		return api.CIDRRuleSlice{{CIDRGroupSelector: groupSelector(t)}}
	}
	r := api.CIDRRule{Cidr: rapid.SampledFrom([]api.CIDR{"0.0.0.0/0", "10.0.0.0/8"}).Draw(t, "cidr")}
	if rapid.Bool().Draw(t, "has except") {
		r.ExceptCIDRs = []api.CIDR{rapid.SampledFrom([]api.CIDR{"10.1.0.0/16", "10.0.0.0/24"}).Draw(t, "except")}
	}
	return api.CIDRRuleSlice{r}
}

func endpoints(t *rapid.T) []api.EndpointSelector {
	list := []api.EndpointSelector{}
	for range rapid.IntRange(0, 2).Draw(t, "endpoints") {
		list = append(list, selector(t, "peer"))
	}
	return list
}

func from(t *rapid.T) (c api.IngressCommonRule) {
	switch rapid.IntRange(0, 9).Draw(t, "from kind") {
	case 0:
	case 1, 2:
		c.FromEntities = entities(t)
	case 3:
		c.FromCIDR = cidrs(t)
	case 4:
		c.FromCIDRSet = cidrSet(t)
	default:
		c.FromEndpoints = endpoints(t)
	}
	return c
}

func to(t *rapid.T) (c api.EgressCommonRule) {
	switch rapid.IntRange(0, 9).Draw(t, "to kind") {
	case 0:
	case 1, 2:
		c.ToEntities = entities(t)
	case 3:
		c.ToCIDR = cidrs(t)
	case 4:
		c.ToCIDRSet = cidrSet(t)
	default:
		c.ToEndpoints = endpoints(t)
	}
	return c
}

func defaultDeny(t *rapid.T, name string) *bool {
	return rapid.SampledFrom([]*bool{nil, nil, nil, new(true), new(false)}).Draw(t, name)
}

func rule(t *rapid.T) *api.Rule {
	r := &api.Rule{EndpointSelector: subject(t)}
	r.EnableDefaultDeny = api.DefaultDenyConfig{Ingress: defaultDeny(t, "ingress default deny"), Egress: defaultDeny(t, "egress default deny")}
	for range rapid.IntRange(0, 3).Draw(t, "ingress") {
		ports := toPorts(t)
		r.Ingress = append(r.Ingress, api.IngressRule{IngressCommonRule: from(t), ToPorts: ports, ICMPs: icmps(t, ports), Authentication: authentication(t)})
	}
	for range rapid.IntRange(0, 1).Draw(t, "egress") {
		ports := toPorts(t)
		r.Egress = append(r.Egress, api.EgressRule{EgressCommonRule: to(t), ToPorts: ports, ICMPs: icmps(t, ports), Authentication: authentication(t)})
	}
	if len(r.Ingress)+len(r.Egress) == 0 && rapid.IntRange(0, 9).Draw(t, "empty rule") > 0 {
		r.Ingress = []api.IngressRule{{}}
	}
	if rapid.IntRange(0, 3).Draw(t, "has ingressDeny") == 0 {
		r.IngressDeny = append(r.IngressDeny, api.IngressDenyRule{IngressCommonRule: from(t), ToPorts: denyPorts(t)})
	}
	if rapid.IntRange(0, 5).Draw(t, "has egressDeny") == 0 {
		r.EgressDeny = append(r.EgressDeny, api.EgressDenyRule{EgressCommonRule: to(t), ToPorts: denyPorts(t)})
	}
	return r
}

func cnp(t *rapid.T, name string) *ciliumv2.CiliumNetworkPolicy {
	p := &ciliumv2.CiliumNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: rapid.SampledFrom([]string{"default", "default", "shop"}).Draw(t, "policy namespace")}}
	p.Spec, p.Specs = specs(t)
	return p
}

func ccnp(t *rapid.T, name string) *ciliumv2.CiliumClusterwideNetworkPolicy {
	p := &ciliumv2.CiliumClusterwideNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec, p.Specs = specs(t)
	return p
}

func specs(t *rapid.T) (*api.Rule, api.Rules) {
	switch rapid.IntRange(0, 5).Draw(t, "specs") {
	case 0:
		return nil, api.Rules{rule(t), rule(t)}
	case 1:
		return rule(t), api.Rules{rule(t)}
	default:
		return rule(t), nil
	}
}
