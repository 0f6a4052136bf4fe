// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	syaml "sigs.k8s.io/yaml"
)

// valueOfNode is what a node means to Kubernetes, which reads YAML 1.1.
func valueOfNode(node *yaml.Node) any {
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		value := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Tag == "!!merge" {
				if base, ok := valueOfNode(node.Content[i+1]).(map[string]any); ok {
					for k, v := range base {
						if _, own := value[k]; !own {
							value[k] = v
						}
					}
				}
				continue
			}
			value[node.Content[i].Value] = valueOfNode(node.Content[i+1])
		}
		return value
	case yaml.SequenceNode:
		return elements(node)
	default:
		return valueOfScalar(node)
	}
}

func valueOfScalar(node *yaml.Node) any {
	if node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return node.Value
	}
	if isWord(node.Value) {
		return node.Value
	}
	data, err := syaml.YAMLToJSON([]byte(node.Value))
	if err != nil {
		return node.Value
	}
	value, err := valueOf(data)
	if err != nil {
		return node.Value
	}
	switch value.(type) {
	case map[string]any, []any:
		return node.Value
	default:
		return value
	}
}

// isWord says that a plain scalar can be nothing but a string: it begins with a letter, and is not one of the words that YAML 1.1 reads as
// something else (yaml.org/type/bool, yaml.org/type/null). Most scalars are such words, and parsing each takes long.
func isWord(value string) bool {
	if value == "" || !isLetter(value[0]) {
		return false
	}
	for i := range len(value) {
		if c := value[i]; !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("-_./", c) < 0 {
			return false
		}
	}
	switch strings.ToLower(value) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// writtenJSON is a node as JSON in the layout of the document.
func (d *Document) writtenJSON(node *yaml.Node) ([]byte, error) {
	compact, err := ordered(node)
	if err != nil {
		return nil, err
	}
	trimmed := bytes.TrimSpace(d.Text)
	from := bytes.Index(d.Text, trimmed)
	before, after := d.Text[:from], d.Text[from+len(trimmed):]
	var out bytes.Buffer
	out.Write(before)
	prefix := strings.Repeat(" ", d.margin())
	if first, rest, found := bytes.Cut(trimmed, []byte("\n")); found && len(bytes.TrimSpace(first)) == 1 {
		indent := rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))]
		if err := json.Indent(&out, compact, prefix, strings.TrimPrefix(string(indent), prefix)); err != nil {
			return nil, fmt.Errorf("indent JSON: %w", err)
		}
	} else {
		out.Write(compact)
	}
	out.Write(after)
	return out.Bytes(), nil
}

// margin is how far the object's closing brace is indented.
func (d *Document) margin() int {
	trimmed := bytes.TrimRight(d.Text, " \t\r\n")
	last := trimmed[bytes.LastIndexByte(trimmed, '\n')+1:]
	return len(last) - len(bytes.TrimLeft(last, " "))
}

// ordered is a node as compact JSON, its keys in the node's order.
func ordered(node *yaml.Node) ([]byte, error) {
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		out := []byte{'{'}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, err := json.Marshal(node.Content[i].Value)
			if err != nil {
				return nil, err
			}
			value, err := ordered(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(append(out, key...), ':'), value...)
		}
		return append(out, '}'), nil
	case yaml.SequenceNode:
		out := []byte{'['}
		for i, child := range node.Content {
			value, err := ordered(child)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, value...)
		}
		return append(out, ']'), nil
	default:
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		err := encoder.Encode(valueOfScalar(node))
		return bytes.TrimSpace(out.Bytes()), err
	}
}
