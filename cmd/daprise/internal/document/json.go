// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// jsonNode is a value in a JSON text.
type jsonNode struct {
	from, to int
	// open is the bracket that the value begins with, or 0.
	open byte
	// parts are the members of an object or the elements of an array, in their order.
	parts []jsonPart
}

type jsonPart struct {
	// from is where the part begins: at its key, if it has one.
	from  int
	key   string
	value *jsonNode
	// colon is what stands between key and value.
	colon string
}

// jsonParser reads a text that is known to be valid.
type jsonParser struct {
	text []byte
	at   int
}

func (p *jsonParser) space() {
	for p.at < len(p.text) && bytes.IndexByte([]byte(" \t\r\n"), p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *jsonParser) value() *jsonNode {
	p.space()
	n := &jsonNode{from: p.at}
	switch c := p.text[p.at]; c {
	case '{', '[':
		n.open = c
		p.at++
		p.parts(n)
	case '"':
		p.quoted()
	default:
		for p.at < len(p.text) && bytes.IndexByte([]byte(" \t\r\n,]}"), p.text[p.at]) < 0 {
			p.at++
		}
	}
	n.to = p.at
	return n
}

// parts reads up to the closing bracket.
func (p *jsonParser) parts(n *jsonNode) {
	for {
		if p.space(); p.text[p.at] == ',' {
			p.at++
			p.space()
		}
		if c := p.text[p.at]; c == '}' || c == ']' {
			p.at++
			return
		}
		part := jsonPart{from: p.at}
		if n.open == '{' {
			p.quoted()
			// A valid text's key decodes.
			_ = json.Unmarshal(p.text[part.from:p.at], &part.key)
			colon := p.at
			p.space()
			p.at++
			p.space()
			part.colon = string(p.text[colon:p.at])
		}
		part.value = p.value()
		n.parts = append(n.parts, part)
	}
}

// quoted reads one string.
func (p *jsonParser) quoted() {
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
}

// jsonEditor writes a text with another value. What does not change keeps its bytes; what is new is laid out as the rest is.
type jsonEditor struct {
	text []byte
	// unit is what each level is indented by, or empty where all is on one line; then comma and colon are what stands between values.
	unit, comma, colon string
	// escape says that <, > and & are written as Go and kubectl do.
	escape bool
}

// splicedJSON is the text, which is JSON, changed in place, if that reads as the value.
func (d *Document) splicedJSON(want any) ([]byte, bool) {
	p := &jsonParser{text: d.Text}
	root := p.value()
	e := &jsonEditor{text: d.Text, comma: ",", colon: ":"}
	e.escape = slices.ContainsFunc([]string{`\u003c`, `\u003e`, `\u0026`}, func(s string) bool { return bytes.Contains(d.Text, []byte(s)) })
	if len(root.parts) > 0 {
		first := root.parts[0]
		if gap := string(d.Text[root.from+1 : first.from]); strings.Contains(gap, "\n") {
			e.unit = strings.TrimPrefix(gap[strings.LastIndexByte(gap, '\n')+1:], d.prefix())
		}
		if e.colon = first.colon; strings.HasSuffix(e.colon, " ") {
			e.comma = ", "
		}
	}
	text := slices.Concat(d.Text[:root.from], e.changed(root, want, d.prefix()), d.Text[root.to:])
	ok, err := d.reads(text, want)
	return text, ok && err == nil
}

// prefix is what the line of the object's closing bracket is indented by.
func (d *Document) prefix() string {
	trimmed := bytes.TrimRight(d.Text, " \t\r\n")
	last := trimmed[bytes.LastIndexByte(trimmed, '\n')+1:]
	return string(last[:len(last)-len(bytes.TrimLeft(last, " \t"))])
}

// changed is a node with another value. The line that it begins on is indented by prefix.
func (e *jsonEditor) changed(n *jsonNode, want any, prefix string) []byte {
	written := e.text[n.from:n.to]
	if have, err := valueOf(written); err == nil && reflect.DeepEqual(have, want) {
		return written
	}
	var parts []jsonPart
	switch value := want.(type) {
	case map[string]any:
		if n.open == '{' {
			parts = e.members(n, value)
		}
	case []any:
		if n.open == '[' {
			parts = e.elements(n, value)
		}
	}
	if len(parts) == 0 || len(n.parts) == 0 {
		return e.fresh(want, prefix)
	}
	return e.joined(n, parts, want, prefix)
}

// members are those wanted of an object: the kept ones in their order, then new ones, whose value is nil.
func (e *jsonEditor) members(n *jsonNode, want map[string]any) []jsonPart {
	var parts []jsonPart
	known := map[string]bool{}
	for _, p := range n.parts {
		if _, ok := want[p.key]; ok && !known[p.key] {
			parts = append(parts, p)
			known[p.key] = true
		}
	}
	if len(parts) == 0 {
		return nil
	}
	for _, key := range orderedKeys(want) {
		if !known[key] {
			parts = append(parts, jsonPart{key: key})
		}
	}
	return parts
}

// elements are those wanted of an array, in their order; those of new ones have no value.
func (e *jsonEditor) elements(n *jsonNode, want []any) []jsonPart {
	var have []any
	for _, p := range n.parts {
		value, err := valueOf(e.text[p.value.from:p.value.to])
		if err != nil {
			return nil
		}
		have = append(have, value)
	}
	var parts []jsonPart
	for _, pair := range aligned(have, want) {
		switch {
		case pair.to < 0:
		case pair.from < 0:
			parts = append(parts, jsonPart{})
		default:
			parts = append(parts, n.parts[pair.from])
		}
	}
	return parts
}

// joined writes parts of a node with their values: old ones behind what stood before them, new ones behind what stood before the first.
func (e *jsonEditor) joined(n *jsonNode, parts []jsonPart, want any, prefix string) []byte {
	gap := e.text[n.from+1 : n.parts[0].from]
	inner := prefix
	if at := bytes.LastIndexByte(gap, '\n'); at >= 0 {
		inner = string(gap[at+1:])
	}
	between := slices.Concat([]byte(","), gap)
	if len(gap) == 0 {
		between = []byte(e.comma)
	}
	out := slices.Concat(e.text[n.from:n.from+1], gap)
	for i, p := range parts {
		if i > 0 {
			out = append(out, e.before(n, p, between)...)
		}
		value := valueAt(want, p.key, i)
		if p.value == nil {
			if n.open == '{' {
				out = append(append(out, e.scalar(p.key)...), n.parts[0].colon...)
			}
			out = append(out, e.fresh(value, inner)...)
			continue
		}
		out = append(out, e.text[p.from:p.value.from]...)
		out = append(out, e.changed(p.value, value, inner)...)
	}
	return append(out, e.text[n.parts[len(n.parts)-1].value.to:n.to]...)
}

// before is what separates a part from the one before it.
func (e *jsonEditor) before(n *jsonNode, p jsonPart, between []byte) []byte {
	i := slices.IndexFunc(n.parts, func(old jsonPart) bool { return p.value != nil && old.value == p.value })
	if i <= 0 {
		return between
	}
	return e.text[n.parts[i-1].value.to:p.from]
}

func valueAt(want any, key string, i int) any {
	switch value := want.(type) {
	case map[string]any:
		return value[key]
	case []any:
		return value[i]
	default:
		return nil
	}
}

// fresh is a new value, whose first line is indented by prefix already.
func (e *jsonEditor) fresh(value any, prefix string) []byte {
	open, ends := "{", "}"
	var parts [][]byte
	switch v := value.(type) {
	case map[string]any:
		for _, key := range orderedKeys(v) {
			parts = append(parts, slices.Concat(e.scalar(key), []byte(e.colon), e.fresh(v[key], prefix+e.unit)))
		}
	case []any:
		open, ends = "[", "]"
		for _, element := range v {
			parts = append(parts, e.fresh(element, prefix+e.unit))
		}
	default:
		return e.scalar(value)
	}
	if len(parts) == 0 {
		return []byte(open + ends)
	}
	first, between, last := "", e.comma, ""
	if e.unit != "" {
		first, last = "\n"+prefix+e.unit, "\n"+prefix
		between = "," + first
	}
	return slices.Concat([]byte(open+first), bytes.Join(parts, []byte(between)), []byte(last+ends))
}

func (e *jsonEditor) scalar(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(e.escape)
	// What was decoded from JSON encodes.
	_ = encoder.Encode(value)
	return bytes.TrimSpace(out.Bytes())
}
