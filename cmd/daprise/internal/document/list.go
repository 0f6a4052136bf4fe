// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// span is an item of a List in the List's text.
type span struct {
	from, to int
	// dash is where in the item its "- " begins, or -1.
	dash int
	// column is how many bytes precede the item on its first line.
	column int
}

// listItems finds the items of a List in its text, without parsing them: a List may hold a whole cluster. It finds none where the text is
// not written as programs and people write it; the whole is then read as one object.
func listItems(d *Document) ([]span, bool) {
	if start := jsonStart(d.Text); start >= 0 {
		return jsonItems(d.Text, start)
	}
	return yamlItems(d.Text)
}

// jsonStart is where the brace stands that a document begins with, after markers, comments and space, or -1.
func jsonStart(text []byte) int {
	at := 0
	for line := range bytes.Lines(text) {
		rest := bytes.TrimLeft(line, " \t\r\n\ufeff")
		switch {
		case isMarker(line, "---"), len(rest) == 0, rest[0] == '#':
			at += len(line)
		case rest[0] == '{':
			return at + len(line) - len(rest)
		default:
			return -1
		}
	}
	return -1
}

// yamlItems finds the items of a block sequence "items:" at the top level.
func yamlItems(text []byte) ([]span, bool) {
	kind, at, start := "", 0, -1
	end := len(text)
	for line := range bytes.Lines(text) {
		next := at + len(line)
		if start >= 0 && end == len(text) && isTopLevel(line) {
			end = at
		}
		switch {
		case bytes.HasPrefix(line, []byte("kind:")):
			kind = scalarOf(line[len("kind:"):])
		case bytes.HasPrefix(line, []byte("items:")) && scalarOf(line[len("items:"):]) == "":
			start = next
		}
		at = next
	}
	if start < 0 || !strings.HasSuffix(kind, "List") {
		return nil, false
	}
	return blockItems(text, start, end)
}

// isTopLevel says that a line begins an entry of the top-level mapping, or ends the document.
func isTopLevel(line []byte) bool {
	switch line[0] {
	case ' ', '\t', '\r', '\n', '#':
		return false
	case '-':
		return isMarker(line, "---")
	default:
		return true
	}
}

// scalarOf is a short plain or quoted scalar that ends its line.
func scalarOf(rest []byte) string {
	value, _, _ := strings.Cut(string(rest), " #")
	return strings.Trim(strings.TrimSpace(value), `"'`)
}

// blockItems cuts text[start:end] at each dash of the first one's column. A dash there begins an item whatever precedes it: everything
// inside an item is indented by more.
func blockItems(text []byte, start, end int) ([]span, bool) {
	var items []span
	indent, at := -1, start
	for line := range bytes.Lines(text[start:end]) {
		column := len(line) - len(bytes.TrimLeft(line, " "))
		trimmed := line[column:]
		isItem := bytes.HasPrefix(trimmed, []byte("- "))
		blank := len(bytes.TrimSpace(trimmed)) == 0 || trimmed[0] == '#'
		if indent < 0 && isItem {
			indent = column
		}
		switch {
		case isItem && column == indent:
			if len(items) > 0 {
				items[len(items)-1].to = at
			}
			items = append(items, span{from: at, to: end, dash: column})
		case !blank && column <= indent, !blank && indent < 0:
			return nil, false
		}
		at += len(line)
	}
	if bytes.ContainsAny(text[start:end], "&*") && sharesAnchor(text[start:end], items, start) {
		return nil, false
	}
	return items, len(items) > 0
}

// sharesAnchor says that an item refers to an anchor that it does not define itself. What looks so in a comment, or in a text, is no alias: the
// item is parsed to tell.
func sharesAnchor(text []byte, items []span, base int) bool {
	for _, s := range items {
		item := string(text[s.from-base : s.to-base])
		for _, field := range strings.Fields(item) {
			if name, ok := strings.CutPrefix(field, "*"); ok && isAnchorName(name) && !strings.Contains(item, "&"+name) {
				var node yaml.Node
				if yaml.Unmarshal([]byte(item), &node) != nil {
					return true
				}
				break
			}
		}
	}
	return false
}

func isAnchorName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "*/.,[]{}\"'")
}

// jsonItems finds the items of a JSON List, which begins at an offset, by the offsets of a decoder.
func jsonItems(text []byte, start int) ([]span, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text[start:]))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	var items []span
	kind := ""
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		if key == "items" {
			if items, err = arrayItems(decoder, text, start); err != nil {
				return nil, false
			}
			continue
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, false
		}
		if key == "kind" {
			kind = strings.Trim(string(value), `"`)
		}
	}
	return items, len(items) > 0 && strings.HasSuffix(kind, "List")
}

func arrayItems(decoder *json.Decoder, text []byte, start int) ([]span, error) {
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, err
	}
	var items []span
	for decoder.More() {
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return nil, err
		}
		to := start + int(decoder.InputOffset())
		from := to - len(item)
		items = append(items, span{from: from, to: to, dash: -1, column: from - 1 - bytes.LastIndexByte(text[:from], '\n')})
	}
	_, err := decoder.Token()
	return items, err
}
