// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh/policy"
)

// TestDifferentialUpstream compares over mutations of the policies that Cilium ships as examples and test manifests. The ends of the
// flows are made of the labels that the policies name.
func TestDifferentialUpstream(t *testing.T) {
	n := newTally(t)
	docs := upstream(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &mutator{t: t, names: map[string][]any{}}
		var objects []any
		for i := range rapid.IntRange(1, 3).Draw(t, "policies") {
			tree := clone(rapid.SampledFrom(docs).Draw(t, "document"))
			m.learn(tree)
			for range rapid.IntRange(0, 4).Draw(t, "mutations") {
				m.mutate(tree)
			}
			if object, ok := typed(tree, fmt.Sprintf("p%d", i)); ok {
				objects = append(objects, object)
			}
		}
		set, engine := compare(t, objects, n)
		for range flowsPerSet {
			one(t, objects, set, engine, m.flow(), n)
		}
	})
	n.report()
}

// upstream are the policies of Cilium's examples and test manifests, in a fixed order.
func upstream(t testing.TB) []map[string]any {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cilium/cilium").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	var docs []map[string]any
	for _, dir := range []string{"examples", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			docs = append(docs, policiesIn(string(data))...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(docs) < 100 {
		t.Fatalf("found %d policies alone", len(docs))
	}
	return docs
}

// policiesIn leaves out documents that are no YAML (templates) and other kinds.
func policiesIn(file string) []map[string]any {
	var docs []map[string]any
	for _, part := range strings.Split(file, "\n---") {
		var tree map[string]any
		if yaml.Unmarshal([]byte(part), &tree) != nil {
			continue
		}
		switch tree["kind"] {
		case policy.KindCNP, policy.KindCCNP, policy.KindKNP:
			docs = append(docs, tree)
		}
	}
	return docs
}

func clone(tree map[string]any) map[string]any {
	data, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	var copied map[string]any
	if err := json.Unmarshal(data, &copied); err != nil {
		panic(err)
	}
	return copied
}

// typed decodes a tree; ok is false for what the API server would not take because of its shape.
func typed(tree map[string]any, name string) (object any, ok bool) {
	metadata := map[string]any{"name": name}
	switch tree["kind"] {
	case policy.KindCCNP:
		object = &ciliumv2.CiliumClusterwideNetworkPolicy{}
	case policy.KindKNP:
		if hasSources(tree) {
			return nil, false
		}
		object, metadata["namespace"] = &networkingv1.NetworkPolicy{}, "default"
	default:
		object, metadata["namespace"] = &ciliumv2.CiliumNetworkPolicy{}, "default"
	}
	// Cilium's decoding of an ICMP field without a type panics; the schema does not let one through.
	defer func() { ok = recover() == nil && ok }()
	tree["metadata"] = metadata
	data, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	return object, json.Unmarshal(data, object) == nil
}

// hasSources says whether a selector names a label with its source, as those of Kubernetes may not.
func hasSources(tree map[string]any) bool {
	found := false
	walk(tree, func(key string, value any) {
		text, _ := value.(string)
		found = found || strings.Contains(key, ":") || key == "key" && strings.Contains(text, ":")
	})
	return found
}

// mutator changes documents and remembers what they name.
type mutator struct {
	t *rapid.T
	// names holds the values seen under a field, from which a mutation takes another.
	names map[string][]any
	// labels are the sets of labels that selectors name.
	labels []map[string]any
}

func (m *mutator) learn(tree any) {
	walk(tree, func(key string, value any) {
		m.names[key] = append(m.names[key], value)
		if labels, ok := value.(map[string]any); ok && key == "matchLabels" {
			m.labels = append(m.labels, labels)
		}
	})
}

// mutate changes one place below spec or specs: takes an element out, doubles it, or puts another of the same name in its place.
func (m *mutator) mutate(tree map[string]any) {
	var maps []map[string]any
	collect(map[string]any{"spec": tree["spec"], "specs": tree["specs"]}, &maps)
	if len(maps) == 0 {
		return
	}
	at := maps[rapid.IntRange(0, len(maps)-1).Draw(m.t, "place")]
	keys := sortedKeys(at)
	key := rapid.SampledFrom(keys).Draw(m.t, "field")
	list, isList := at[key].([]any)
	switch how := rapid.IntRange(0, 4).Draw(m.t, "how"); {
	case how == 0 && key != "spec" && key != "specs" && key != "endpointSelector" && key != "secret":
		delete(at, key)
	case how == 1 && isList && len(list) > 0:
		at[key] = list[1:]
	case how == 2 && isList && len(list) > 0:
		at[key] = append(slices.Clone(list), list[0])
	case how == 3 && strings.HasPrefix(key, "ingress") && key != "ingress" && isList:
		at["ingress"] = list
	default:
		if others := m.names[key]; len(others) > 0 {
			at[key] = rapid.SampledFrom(others).Draw(m.t, "other")
		}
	}
}

// collect lists the objects of a tree that have fields, in a fixed order.
func collect(node any, into *[]map[string]any) {
	switch node := node.(type) {
	case map[string]any:
		if len(node) > 0 {
			*into = append(*into, node)
		}
		for _, key := range sortedKeys(node) {
			collect(node[key], into)
		}
	case []any:
		for _, element := range node {
			collect(element, into)
		}
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// flow draws a flow between ends that the documents name, or others.
func (m *mutator) flow() policy.Flow {
	f := flow(m.t)
	f.From, f.To = m.end(f.From), m.end(f.To)
	if ports := m.names["port"]; len(ports) > 0 && f.Protocol != "ICMP" && rapid.IntRange(0, 3).Draw(m.t, "named port") > 0 {
		var number int32
		if _, err := fmt.Sscan(fmt.Sprint(rapid.SampledFrom(ports).Draw(m.t, "port")), &number); err == nil && number > 0 && number < 65536 {
			f.Port = number
		}
	}
	return f
}

// end gives a pod the labels that some selectors name.
func (m *mutator) end(e policy.Endpoint) policy.Endpoint {
	if e.Entity != "" || e.Address.IsValid() || len(m.labels) == 0 {
		return e
	}
	e.Labels = map[string]string{}
	for range rapid.IntRange(0, 2).Draw(m.t, "label sets") {
		set := rapid.SampledFrom(m.labels).Draw(m.t, "labels")
		for _, key := range sortedKeys(set) {
			value := fmt.Sprint(set[key])
			switch key = key[strings.IndexAny(key, ":.")+1:]; {
			case strings.HasSuffix(key, "io.kubernetes.pod.namespace"):
				e.Namespace = value
				e.NamespaceLabels = vocabulary{}.namespaceLabels(value)
			case strings.Contains(key, "io.cilium.k8s."):
			default:
				e.Labels[key] = value
			}
		}
	}
	return e
}
