// SPDX-License-Identifier: Apache-2.0

package document

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// merged is a node that has a value: what the old node has of it keeps its order, style and comments. It does not modify the old
// node, which may be nil.
func merged(old *yaml.Node, want any) *yaml.Node {
	if old == nil {
		return nodeOf(want)
	}
	if reflect.DeepEqual(valueOfNode(old), want) {
		node := *old // with its anchor, its aliases and all below
		return &node
	}
	source := old
	if old.Kind == yaml.AliasNode {
		source = dereferenced(old)
	}
	node := *source
	node.Anchor, node.Content = "", nil
	node.HeadComment, node.LineComment, node.FootComment = old.HeadComment, old.LineComment, old.FootComment
	switch value := want.(type) {
	case map[string]any:
		if source.Kind == yaml.MappingNode {
			mergeMapping(&node, source, value)
			return &node
		}
	case []any:
		if source.Kind == yaml.SequenceNode {
			mergeSequence(&node, source, value)
			return &node
		}
	}
	fresh := nodeOf(want)
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = node.HeadComment, node.LineComment, node.FootComment
	if source.Kind == yaml.ScalarNode && fresh.Kind == yaml.ScalarNode && fresh.Tag == "!!str" {
		fresh.Style |= source.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
	}
	return fresh
}

func mergeMapping(node, source *yaml.Node, want map[string]any) {
	written := map[string]bool{}
	for i := 0; i+1 < len(source.Content); i += 2 {
		name := source.Content[i].Value
		value, ok := want[name]
		if !ok || written[name] {
			continue
		}
		written[name] = true
		key := *source.Content[i]
		node.Content = append(node.Content, &key, merged(source.Content[i+1], value))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !written[name] {
			node.Content = append(node.Content, scalar("!!str", name), nodeOf(want[name]))
		}
	}
}

func mergeSequence(node, source *yaml.Node, want []any) {
	for _, s := range aligned(elements(source), want) {
		switch {
		case s.to < 0:
		case s.from < 0:
			node.Content = append(node.Content, nodeOf(want[s.to]))
		default:
			node.Content = append(node.Content, merged(source.Content[s.from], want[s.to]))
		}
	}
}

// nodeOf is a value as a new node, in block style.
func nodeOf(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, name := range orderedKeys(v) {
			node.Content = append(node.Content, scalar("!!str", name), nodeOf(v[name]))
		}
		if len(v) == 0 {
			node.Style = yaml.FlowStyle
		}
		return node
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, element := range v {
			node.Content = append(node.Content, nodeOf(element))
		}
		if len(v) == 0 {
			node.Style = yaml.FlowStyle
		}
		return node
	case string:
		return scalar("!!str", v)
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return scalar("!!float", v.String())
		}
		return scalar("!!int", v.String())
	default:
		return scalar("!!null", "null")
	}
}

// orderedKeys puts the key that tells what the others are about first, as people write objects.
func orderedKeys(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	for _, first := range []string{"type", "name"} {
		if i := slices.Index(keys, first); i > 0 {
			keys = slices.Insert(slices.Delete(keys, i, i+1), 0, first)
		}
	}
	return keys
}

func scalar(tag, value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	if tag == "!!str" && ambiguous(value) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// ambiguous says that a plain string would be read as something else by YAML 1.1, which Kubernetes speaks ("on", "1_000", "12:30").
func ambiguous(value string) bool {
	if isWord(value) {
		return false
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(value), &node); err != nil || len(node.Content) != 1 {
		return true
	}
	plain := node.Content[0]
	if plain.Kind != yaml.ScalarNode || plain.Value != value || plain.Style != 0 {
		return false // the encoder quotes it by itself
	}
	return !reflect.DeepEqual(valueOfNode(plain), value)
}

// elements are the values of a sequence's nodes.
func elements(node *yaml.Node) []any {
	values := make([]any, 0, len(node.Content))
	for _, child := range node.Content {
		values = append(values, valueOfNode(child))
	}
	return values
}

// pair says that one element became another; -1 stands for none.
type pair struct{ from, to int }

// aligned pairs the elements of two sequences: equal ones in the longest common order, what differs between two of those in its order.
func aligned(have, want []any) []pair {
	longest := make([][]int, len(have)+1)
	for i := range longest {
		longest[i] = make([]int, len(want)+1)
	}
	for i := len(have) - 1; i >= 0; i-- {
		for k := len(want) - 1; k >= 0; k-- {
			if reflect.DeepEqual(have[i], want[k]) {
				longest[i][k] = longest[i+1][k+1] + 1
			} else {
				longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			}
		}
	}
	var pairs []pair
	i, k := 0, 0
	for i < len(have) || k < len(want) {
		switch {
		case i < len(have) && k < len(want) && reflect.DeepEqual(have[i], want[k]):
			pairs = append(pairs, pair{i, k})
			i, k = i+1, k+1
		case i < len(have) && k < len(want) && longest[i+1][k+1] == longest[i][k]:
			pairs = append(pairs, pair{i, k})
			i, k = i+1, k+1
		case k == len(want) || i < len(have) && longest[i+1][k] >= longest[i][k+1]:
			pairs = append(pairs, pair{i, -1})
			i++
		default:
			pairs = append(pairs, pair{-1, k})
			k++
		}
	}
	return pairs
}
