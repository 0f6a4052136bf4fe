// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/hack/oracle"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// flowsPerSet is how many flows are compared for one set of policies.
const flowsPerSet = 20

// TestDifferential compares mesh/policy with Cilium's own engine over generated policies and endpoints. -rapid.checks sets the number
// of policy sets.
func TestDifferential(t *testing.T) {
	n := newTally(t)
	rapid.Check(t, func(t *rapid.T) {
		objects := policies(t)
		set, engine := compare(t, objects, n)
		for range flowsPerSet {
			one(t, objects, set, engine, flow(t), n)
		}
	})
	n.report()
	n.demand("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "NetworkPolicy", "ingressDeny", "egressDeny", "enableDefaultDeny", "specs",
		"fromEndpoints", "fromEntities", "fromCIDR", "fromCIDRSet", "cidrGroupRef", "cidrGroupSelector", "toEndpoints", "toEntities", "toCIDR", "toCIDRSet", "matchExpressions",
		"endPort", "named port", "icmps", "authentication required", "layer 7", "ipBlock", "namespaceSelector")
}

// policies draws some policies of every kind, now and then with those of the scenario and those that daprise generates.
func policies(t *rapid.T) []any {
	objects := groups()
	for i := range rapid.IntRange(2, 7).Draw(t, "policies") {
		name := fmt.Sprintf("p%d", i)
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0, 1:
			objects = append(objects, ccnp(t, name))
		case 2:
			objects = append(objects, knp(t, name))
		default:
			objects = append(objects, cnp(t, name))
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "covering") == 0 {
		objects = append(objects, covering()...)
	}
	return objects
}

// covering are the policies that daprise generates for the scenario.
func covering() []any {
	ingress := mesh.AppRef{Namespace: "default", ID: "ingress"}
	app := mesh.App{
		AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"}, Port: 80, DaprAPI: true, Selector: map[string]string{"app": "a"},
		Callers: []mesh.AppRef{{Namespace: "shop", ID: "whoami"}},
	}
	view := &mesh.View{Apps: []mesh.App{app}, Routes: []mesh.RouteTarget{{Ingress: ingress, App: app.AppRef}}}
	var objects []any
	for _, p := range policy.CoveringApp(view, app) {
		objects = append(objects, p)
	}
	for _, p := range policy.CoveringIngress(view, mesh.Ingress{AppRef: ingress, GRPC: true}) {
		objects = append(objects, p)
	}
	return objects
}

// compare compiles the policies on both sides, which must agree on those that are void.
func compare(t rapid.TB, objects []any, n *tally) (*policy.Set, *oracle.Engine) {
	t.Helper()
	engine, refused := oracle.New(objects...)
	n.sets++
	var compiled []*policy.Policy
	var groups []policy.CIDRGroup
	for i, object := range objects {
		if g, ok := object.(*ciliumv2.CiliumCIDRGroup); ok {
			groups = append(groups, policy.CIDRGroupOf(g))
			continue
		}
		p := compile(object)
		reason, void := p.Void()
		// Whether Cilium takes node selectors is a setting, so that we say neither.
		if void != (refused[i] != nil) && !strings.Contains(fmt.Sprint(refused[i]), "enable-node-selector-labels") {
			t.Fatalf("void: we say %v (%s), Cilium says %v\n%s", void, reason, refused[i], written(object))
		}
		n.policy(object, void)
		compiled = append(compiled, p)
	}
	return policy.NewSet(compiled...).WithCIDRGroups(groups...), engine
}

func compile(object any) *policy.Policy {
	switch o := object.(type) {
	case *ciliumv2.CiliumNetworkPolicy:
		return policy.CompileCNP(o)
	case *ciliumv2.CiliumClusterwideNetworkPolicy:
		return policy.CompileCCNP(o)
	default:
		return policy.CompileKNP(object.(*networkingv1.NetworkPolicy))
	}
}

// Answers that are none: Cilium has none itself, or only at run time.
const (
	cannotMerge = `cannot merge|names a listener of a namespace`
	unevenRange = `a range of ports that begins with a name|names one label twice|` + ofOlder
	ofOlder     = `groups that hold one address|cidrGroupRef with exceptions|an exception wider than its block|begins with 0, part of which|a deny of entity world`
	atRunTime   = `: (toFQDNs|toServices|toGroups|fromGroups|fromNodes and toNodes|fromNodes|toNodes)$`
)

// judge is a Cilium's engine with a set of policies.
type judge interface {
	Verdict(f policy.Flow) (ingress, egress bool, err error)
}

// one compares one flow.
func one(t rapid.TB, objects []any, set *policy.Set, engine judge, f policy.Flow, n *tally) {
	t.Helper()
	got := set.Verdict(f)
	why := strings.Join(got.Unjudged, "\n")
	ingress, egress, err := engine.Verdict(f)
	switch {
	case errors.Is(err, oracle.ErrCrash):
		n.crashes++
	case errors.Is(err, oracle.ErrConflict):
		if !regexp.MustCompile(cannotMerge).MatchString(why) {
			t.Fatalf("Cilium says %v, we judge all the same\n%s", err, written(objects...))
		}
		n.conflicts++
	case err != nil:
		t.Fatal(err)
	case regexp.MustCompile(cannotMerge).MatchString(why):
		if !hasDeny(objects) && !orderDecides(why) {
			t.Fatalf("Cilium can judge, we say %s\n%s", why, written(objects...))
		}
		// A deny for the same peer and port takes the place of one of the two, or does not, as the order has it.
		n.conflicts++
	case why != "":
		if !regexp.MustCompile("(?m)" + unevenRange + "|" + atRunTime).MatchString(why) {
			t.Fatalf("not judged: %v\n%s", got.Unjudged, written(objects...))
		}
		n.unjudged++
	case got.Ingress != ingress || got.Egress != egress:
		t.Fatalf("%s to %s on %d/%s\nCilium: ingress %v, egress %v\nwe:     ingress %v (%s %s), egress %v (%s %s)\n%s",
			f.From, f.To, f.Port, f.Protocol, ingress, egress, got.Ingress, got.IngressBy.Policy, got.IngressBy.Why,
			got.Egress, got.EgressBy.Policy, got.EgressBy.Why, written(objects...))
	default:
		n.agreed(f, got)
	}
}

// orderDecides says that whether Cilium can merge two rules depends on which of them it meets first.
func orderDecides(why string) bool {
	m := regexp.MustCompile(`cannot merge (\S+ \S+) and (\S+ \S+), which differ in server names`).FindStringSubmatch(why)
	return m != nil && m[1] != m[2]
}

func hasDeny(objects []any) bool { return strings.Contains(written(objects...), "Deny:\n") }

func written(objects ...any) string {
	var docs []string
	for _, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			return err.Error()
		}
		docs = append(docs, fmt.Sprintf("# %T\n%s", o, data))
	}
	return strings.Join(docs, "---\n")
}
