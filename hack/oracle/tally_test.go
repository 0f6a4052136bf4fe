// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/daprise/daprise/mesh/policy"
)

// tally counts what a run compared.
type tally struct {
	t                                                                   testing.TB
	sets, policies, void, flows, ingress, egress, both                  int
	conflicts, crashes, unjudged, exposures, within, strangers, witness int
	// constructs counts, for each construct, the policies in force that have it; ends the kinds of a flow's ends.
	constructs, ends map[string]int
	began, told      time.Time
}

func newTally(t testing.TB) *tally {
	return &tally{t: t, constructs: map[string]int{}, ends: map[string]int{}, began: time.Now(), told: time.Now()}
}

// agreed counts a flow on which both say the same, and tells every ten seconds how far the run is.
func (n *tally) agreed(f policy.Flow, v policy.Verdict) {
	n.flows++
	count := func(holds bool, c *int) {
		if holds {
			*c++
		}
	}
	count(v.Ingress, &n.ingress)
	count(v.Egress, &n.egress)
	count(v.Ingress && v.Egress, &n.both)
	n.ends["from "+end(f.From)]++
	n.ends["to "+end(f.To)]++
	n.ends["protocol "+string(f.Protocol)]++
	if time.Since(n.told) > 10*time.Second {
		n.told = time.Now()
		fmt.Fprintf(os.Stderr, "%s: %d sets, %d flows agreed in %.0f s\n", n.t.Name(), n.sets, n.flows, time.Since(n.began).Seconds())
	}
}

func end(e policy.Endpoint) string {
	switch {
	case e.Entity != "":
		return "entity " + e.Entity
	case e.Address.IsValid():
		return "address"
	case e.Cluster != "":
		return "pod of another cluster"
	default:
		return "pod"
	}
}

// policy counts a policy and the constructs that it has.
func (n *tally) policy(object any, void bool) {
	n.policies++
	if void {
		n.void++
		return
	}
	for c := range constructs(object) {
		n.constructs[c]++
	}
}

// constructs names what a policy is made of: its kind, its fields, its entities, and how it writes ports.
func constructs(object any) map[string]bool {
	found := map[string]bool{}
	switch object.(type) {
	case *ciliumv2.CiliumNetworkPolicy:
		found["CiliumNetworkPolicy"] = true
	case *ciliumv2.CiliumClusterwideNetworkPolicy:
		found["CiliumClusterwideNetworkPolicy"] = true
	case *networkingv1.NetworkPolicy:
		found["NetworkPolicy"] = true
	}
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(err)
	}
	walk(map[string]any{"spec": tree["spec"], "specs": tree["specs"]}, func(key string, value any) { note(found, key, value) })
	return found
}

// walk visits every field of a tree.
func walk(node any, visit func(key string, value any)) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if value != nil {
				visit(key, value)
				walk(value, visit)
			}
		}
	case []any:
		for _, value := range node {
			walk(value, visit)
		}
	}
}

func note(found map[string]bool, key string, value any) {
	text, isText := value.(string)
	list, isList := value.([]any)
	switch {
	case key == "rules" || key == "serverNames" || key == "listener":
		found["layer 7"] = true
	case key == "mode":
		found["authentication "+text] = true
	case key == "port" && isText && isNumber(text) && text == "0":
		found["port 0"] = true
	case key == "port" && isText && !isNumber(text):
		found["named port"] = true
	case key == "protocol" && isText:
		found["protocol "+strings.ToUpper(text)] = true
	case key == "operator":
		found["operator "+text] = true
	case key == "fromEntities" || key == "toEntities":
		for _, entity := range list {
			found[fmt.Sprintf("entity %v", entity)] = true
		}
	}
	if isList && len(list) == 0 {
		found[key+": []"] = true
	}
	for _, source := range []string{"k8s:", "any:", "reserved:"} {
		if strings.HasPrefix(key, source) || key == "key" && strings.HasPrefix(text, source) {
			found["prefix "+source] = true
		}
	}
	if slices.Contains(strings.Fields("spec specs ingress ingressDeny egress egressDeny enableDefaultDeny authentication icmps toPorts endPort except "+
		"fromEndpoints fromEntities fromCIDR fromCIDRSet cidrGroupRef cidrGroupSelector toEndpoints toEntities toCIDR toCIDRSet toFQDNs toServices toGroups fromNodes toNodes "+
		"matchLabels matchExpressions nodeSelector namespaceSelector podSelector ipBlock policyTypes"), key) {
		found[key] = true
	}
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// report tells what a run compared.
func (n *tally) report() {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sets of %d policies (%d void in both), none disagreeing\n", n.sets, n.policies, n.void)
	if n.flows > 0 {
		share := func(c int) float64 { return 100 * float64(c) / float64(n.flows) }
		fmt.Fprintf(&b, "%d flows agreed: %.0f%% allowed (%.0f%% at ingress, %.0f%% at egress); %d more that Cilium cannot compute, %d not judged\n",
			n.flows, share(n.both), share(n.ingress), share(n.egress), n.conflicts, n.unjudged)
	}
	if n.crashes > 0 {
		fmt.Fprintf(&b, "%d more over which Cilium crashes\n", n.crashes)
	}
	if n.exposures > 0 {
		fmt.Fprintf(&b, "%d exposures: %d within the allowed set, where %d strangers were kept out; %d witnesses got in\n",
			n.exposures, n.within, n.strangers, n.witness)
	}
	for _, counts := range []map[string]int{n.constructs, n.ends} {
		var words []string
		for _, c := range slices.Sorted(maps.Keys(counts)) {
			words = append(words, fmt.Sprintf("%s %d", c, counts[c]))
		}
		fmt.Fprintln(&b, strings.Join(words, ", "))
	}
	n.t.Log(b.String())
}

// demand fails a run of some length that has not seen a construct.
func (n *tally) demand(list ...string) {
	if n.sets < 200 {
		return
	}
	for _, c := range list {
		if n.constructs[c] == 0 {
			n.t.Errorf("no policy had %s", c)
		}
	}
}
