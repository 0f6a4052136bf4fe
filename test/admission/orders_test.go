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
)

// hash is a run of hex digits as long as the shortest hash that daprise writes.
var hash = regexp.MustCompile(`[0-9a-f]{8,}`)

// TestOrders applies the mesh in one bundle in every order of its parts. What a first apply could not do yet, one more apply does,
// and the stored state is the same for all.
func TestOrders(t *testing.T) {
	parts := map[string]string{"gateway": gateway, "service": service, "policies": policies, "route": route}
	var reference string
	for i, order := range permutations([]string{"gateway", "service", "policies", "route"}) {
		ns := fmt.Sprintf("order-%d", i)
		t.Run(strings.Join(order, "-"), func(t *testing.T) {
			namespace(t, ns)
			bundle := make([]string, 0, len(order))
			for _, part := range order {
				bundle = append(bundle, in(ns, parts[part]))
			}
			if _, err := try(t, bundle...); err != nil {
				// Only a route that came before its policies may have been refused.
				apply(t, bundle...)
			}
			ready(t, ns)
			eventually(t, func() error {
				if have := rules(t, ns, "whoami-route"); !strings.Contains(have, rewritten) {
					return fmt.Errorf("not rewritten: %s", have)
				}
				return nil
			})
			apply(t, bundle...)
			state := stored(t, ns)
			if reference == "" {
				reference = state
			}
			if diff := cmp.Diff(reference, state); diff != "" {
				t.Errorf("stored state differs from that of the first order (-want +got):\n%s", diff)
			}
		})
	}
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
