// SPDX-License-Identifier: Apache-2.0

package document

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Position is a place in a file, both counted from 1.
type Position struct{ Line, Column int }

// Position is where a field of the object is written, by its path as findings have it: "metadata.annotations[daprise.dev/replicas]",
// "spec.rules[0].filters". Of a field that is not written, it is that of the longest part of the path that is; of the empty path, the
// object's first key. It is false where the document cannot be parsed.
func (d *Document) Position(path string) (Position, bool) {
	if d.IsStored() {
		return Position{}, false
	}
	node, err := d.node()
	if err != nil || node == nil {
		return Position{}, false
	}
	at := find(node, split(path))
	p := Position{Line: d.Line + at.Line - 1, Column: at.Column}
	if at.Line == 1 {
		p.Column += d.column
	}
	return p, true
}

// node parses the text, or gives nil where it holds nothing.
func (d *Document) node() (*yaml.Node, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(d.source(), &root); err != nil {
		return nil, err
	}
	if len(root.Content) == 0 {
		return nil, nil
	}
	return root.Content[0], nil
}

// find follows steps from a node and gives the key, or the element, that the last one found is written at.
func find(node *yaml.Node, steps []string) *yaml.Node {
	at := node
	for _, step := range steps {
		node = resolved(node)
		switch node.Kind {
		case yaml.MappingNode:
			key, value := entry(node, step)
			if key == nil {
				return at
			}
			at, node = key, value
		case yaml.SequenceNode:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node.Content) {
				return at
			}
			at, node = node.Content[i], node.Content[i]
		default:
			return at
		}
	}
	return at
}

// entry is a key of a mapping and its value, or nil.
func entry(node *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// resolved is what an alias stands for.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// split takes a path apart: names between dots, and indexes and keys in brackets.
func split(path string) []string {
	var steps []string
	for path != "" {
		if rest, ok := strings.CutPrefix(path, "["); ok {
			step, after, _ := strings.Cut(rest, "]")
			steps, path = append(steps, step), strings.TrimPrefix(after, ".")
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(steps, path)
		}
		steps, path = append(steps, path[:end]), strings.TrimPrefix(path[end:], ".")
	}
	return steps
}
