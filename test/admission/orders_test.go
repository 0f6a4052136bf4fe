// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/test/cluster"
)

// hash is a run of hex digits as long as the shortest hash that daprise writes.
var hash = regexp.MustCompile(`[0-9a-f]{8,}`)

// TestOrders applies the mesh in one bundle in every order of its parts. What a first apply could not do yet, one more apply does,
// and the stored state is the same for all.
func TestOrders(t *testing.T) {
	parts := map[string]string{"gateway": gateway, "service": service, "policies": policies, "route": route}
	orders := permutations([]string{"gateway", "service", "policies", "route"})
	states := make([]string, len(orders))
	t.Run("applied", func(t *testing.T) {
		for i, order := range orders {
			t.Run(strings.Join(order, "-"), func(t *testing.T) {
				t.Parallel() // each in a namespace of its own, and most of it is waiting
				var bundle []string
				for _, part := range order {
					bundle = append(bundle, parts[part])
				}
				states[i] = applied(t, fmt.Sprintf("order-%d", i), bundle)
			})
		}
	})
	for i, order := range orders[1:] {
		if diff := cmp.Diff(states[0], states[i+1]); diff != "" {
			t.Errorf("%s: stored state differs from that of the first order (-want +got):\n%s", strings.Join(order, "-"), diff)
		}
	}
}

// applied applies a bundle in a new namespace, once more at most if it was refused, waits for the mesh, applies it again and returns
// what is stored then.
func applied(t *testing.T, ns string, parts []string) string {
	t.Helper()
	namespace(t, ns)
	bundle := make([]string, 0, len(parts))
	for _, part := range parts {
		bundle = append(bundle, in(ns, part))
	}
	if _, err := try(t, bundle...); err != nil {
		// Only a route that came before its policies may have been refused.
		apply(t, bundle...)
	}
	ready(t, ns)
	cluster.Eventually(t, func() error {
		if have := rules(t, ns, "whoami-route"); !strings.Contains(have, rewritten) {
			return fmt.Errorf("not rewritten: %s", have)
		}
		return nil
	})
	apply(t, bundle...)
	return stored(t, ns)
}

// stored is the part of a namespace's objects that should not depend on the order, with the namespace's name taken out.
func stored(t *testing.T, ns string) string {
	t.Helper()
	var all []any
	for _, o := range [][2]string{
		{"gateway", "default-gateway"}, {"service", "whoami"}, {"httproute", "whoami-route"},
		{"deployment", "whoami-dapr"}, {"daemonset", "ingress-dapr"}, {"service", "whoami-dapr"}, {"service", "ingress-dapr"},
	} {
		u := object(t, ns, o[0], o[1])
		if u == nil {
			t.Fatalf("%s %s does not exist", o[0], o[1])
		}
		annotations := u.GetAnnotations()
		for _, volatile := range []string{"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"} {
			delete(annotations, volatile)
		}
		spec, _, _ := unstructured.NestedMap(u.Object, "spec")
		for _, assigned := range []string{"clusterIP", "clusterIPs"} {
			delete(spec, assigned)
		}
		all = append(all, map[string]any{"object": o, "labels": u.GetLabels(), "annotations": annotations, "spec": spec})
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return neutral(string(data), ns)
}

func permutations(items []string) [][]string {
	if len(items) <= 1 {
		return [][]string{items}
	}
	var all [][]string
	for i, first := range items {
		rest := append(append([]string{}, items[:i]...), items[i+1:]...)
		for _, tail := range permutations(rest) {
			all = append(all, append([]string{first}, tail...))
		}
	}
	return all
}

// neutral takes out the namespace's name and every hash, whose input names the namespace.
func neutral(text, ns string) string {
	text = strings.ReplaceAll(text, ns, "NAMESPACE")
	return hash.ReplaceAllString(text, "HASH")
}
