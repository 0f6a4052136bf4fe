// SPDX-License-Identifier: Apache-2.0

package document

import (
	"reflect"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// dereferenced is a node with what its aliases stand for in their place, and without anchors. It does not modify the node.
func dereferenced(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		plain := dereferenced(node.Alias)
		plain.HeadComment, plain.LineComment, plain.FootComment = node.HeadComment, node.LineComment, node.FootComment
		return plain
	}
	plain := *node
	plain.Anchor, plain.Content = "", nil
	for _, child := range node.Content {
		plain.Content = append(plain.Content, dereferenced(child))
	}
	return &plain
}

// apart writes out, where they stand, the aliases of what a change touches, so that it shows nowhere else. It says whether there were any.
func (d *Document) apart(root *yaml.Node, want any) ([]byte, bool) {
	touched := map[*yaml.Node]bool{}
	touch(root, want, touched)
	e := d.editor()
	e.apart(root, touched)
	text := e.text()
	if d.dash >= 0 {
		text[d.dash] = '-'
	}
	return text, len(e.splices) > 0
}

// gone stands for the value of what is not wanted.
type gone struct{}

// touch notes the anchored nodes whose value changes.
func touch(node *yaml.Node, want any, touched map[*yaml.Node]bool) {
	if node.Anchor != "" && !reflect.DeepEqual(valueOfNode(node), want) {
		touched[node] = true
	}
	switch node.Kind {
	case yaml.MappingNode:
		values, _ := want.(map[string]any)
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, wanted := values[node.Content[i].Value]
			if !wanted {
				value = gone{}
			}
			touch(node.Content[i+1], value, touched)
		}
	case yaml.SequenceNode:
		list, _ := want.([]any)
		for _, p := range aligned(elements(node), list) {
			switch {
			case p.from < 0:
			case p.to < 0:
				touch(node.Content[p.from], gone{}, touched)
			default:
				touch(node.Content[p.from], list[p.to], touched)
			}
		}
	}
}

// apart writes out the aliases below a node of those touched, each on its line.
func (e *editor) apart(node *yaml.Node, touched map[*yaml.Node]bool) {
	for _, child := range node.Content {
		if child.Kind != yaml.AliasNode {
			e.apart(child, touched)
			continue
		}
		from := e.offset(child)
		to := from + len("*"+child.Value)
		if !touched[child.Alias] || to > len(e.source) || string(e.source[from:to]) != "*"+child.Value {
			continue
		}
		text, err := e.encoded(inline(dereferenced(child)), 0)
		if text = strings.TrimSuffix(text, "\n"); err == nil && !strings.Contains(text, "\n") {
			e.replace(from, to, text)
		}
	}
}

// inline is a node of nobody else in flow style and without comments.
func inline(node *yaml.Node) *yaml.Node {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	switch {
	case node.Kind != yaml.ScalarNode:
		node.Style |= yaml.FlowStyle
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		node.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		inline(child)
	}
	return node
}
