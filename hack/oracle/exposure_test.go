// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/daprise/daprise/hack/oracle"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// strangersPerSet is how many endpoints are tried against one exposure.
const strangersPerSet = 20

// TestDifferentialExposure holds exposure against Cilium's engine: no endpoint outside the allowed set may get in where exposure finds
// none, and every witness must get in.
func TestDifferentialExposure(t *testing.T) {
	n := newTally(t)
	rapid.Check(t, func(t *rapid.T) {
		objects := policies(t)
		set, engine := compare(t, objects, n)
		target := companion(t)
		port := rapid.SampledFrom([]int32{3500, 3501, 50001, 50002}).Draw(t, "exposed port")
		allowed := allowedSources(t)
		known := map[string]map[string]string{}
		for _, namespace := range (vocabulary{}).namespaces() {
			known[namespace] = (vocabulary{}).namespaceLabels(namespace)
		}
		x := set.Exposure(target, port, allowed, known)
		n.exposures++
		if len(x.Leaks) == 0 {
			n.within++
			for range strangersPerSet {
				s := endpoint(t, "stranger")
				if contains(allowed, s) || s.Entity == policy.EntityHost {
					continue
				}
				n.strangers++
				if in, judged := letsIn(engine, s, target, port); in && judged {
					t.Fatalf("%s reaches %s on %d, which exposure does not see\n%s", s, target, port, written(objects...))
				}
			}
		}
		for _, leak := range x.Leaks {
			if contains(allowed, leak.Witness) {
				t.Fatalf("witness %s is allowed", leak.Witness)
			}
			if leak.Unjudged != "" {
				n.unjudged++
				continue
			}
			in, judged := letsIn(engine, leak.Witness, target, port)
			if !judged {
				n.conflicts++
				continue
			}
			n.witness++
			if !in {
				t.Fatalf("witness %+v does not reach %s on %d: %s %s\n%s", leak.Witness, target, port, leak.By.Policy, leak.By.Why, written(objects...))
			}
		}
	})
	n.report()
}

// letsIn says whether the target's side lets the source in. It is not judged where Cilium cannot compute the policy of the source,
// since it then says so of the whole flow.
func letsIn(engine *oracle.Engine, from, to policy.Endpoint, port int32) (in, judged bool) {
	ingress, _, err := engine.Verdict(policy.Flow{From: from, To: to, Port: port, Protocol: policy.TCP})
	return ingress, err == nil
}

func companion(t *rapid.T) policy.Endpoint {
	id := rapid.SampledFrom([]string{"whoami", "ingress"}).Draw(t, "companion")
	return policy.Endpoint{
		Namespace: "default", Labels: mesh.PodLabels(id, mesh.ComponentApp), NamespaceLabels: vocabulary{}.namespaceLabels("default"),
		ServiceAccount: mesh.CompanionName(id), Ports: map[string]int32{"dapr-internal": 50002, "dapr-http": 3500},
	}
}

// allowedSources draws who may reach the companion: nobody, the gateway, pods by one label or two.
func allowedSources(t *rapid.T) []policy.Source {
	var allowed []policy.Source
	for range rapid.IntRange(0, 3).Draw(t, "allowed") {
		s := policy.Source{Namespace: rapid.SampledFrom(vocabulary{}.namespaces()).Draw(t, "allowed namespace"), Labels: map[string]string{}}
		if rapid.IntRange(0, 3).Draw(t, "allowed kind") == 0 {
			allowed = append(allowed, policy.Source{Entity: policy.EntityIngress})
			continue
		}
		for _, key := range []string{"app", "dapr.io/app-id"} {
			if rapid.Bool().Draw(t, "allowed by "+key) {
				s.Labels[key] = rapid.SampledFrom(vocabulary{}.labels()[key]).Draw(t, "allowed "+key)
			}
		}
		allowed = append(allowed, s)
	}
	return allowed
}

// contains is membership written once more, without selectors.
func contains(allowed []policy.Source, e policy.Endpoint) bool {
	for _, a := range allowed {
		if a.Entity != "" {
			if a.Entity == e.Entity {
				return true
			}
			continue
		}
		matches := e.Entity == "" && !e.Address.IsValid() && e.Namespace == a.Namespace
		for k, v := range a.Labels {
			matches = matches && e.Labels[k] == v
		}
		if matches {
			return true
		}
	}
	return false
}
