// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// editor collects changes of a text in block style. Its work is checked by parsing the result, so that it may give up nowhere.
type editor struct {
	source []byte
	// starts are the offsets of the lines.
	starts  []int
	splices []splice
	newline string
	// compact says that sequences are not indented below their key.
	compact bool
}

// splice replaces source[from:to].
type splice struct {
	from, to int
	with     string
}

func (d *Document) editor() *editor {
	source := d.source()
	e := &editor{source: source, starts: []int{0}, newline: "\n"}
	if !bytes.Contains(source, []byte("\n")) {
		e.newline = cmp.Or(d.newline, "\n")
	} else if bytes.Contains(source, []byte("\r\n")) {
		e.newline = "\r\n"
	}
	for i, c := range source {
		if c == '\n' {
			e.starts = append(e.starts, i+1)
		}
	}
	e.compact = isCompact(source)
	return e
}

// isCompact looks for a key whose sequence follows in the same column.
func isCompact(source []byte) bool {
	previous := []byte{}
	for line := range bytes.Lines(source) {
		line = bytes.TrimRight(line, " \r\n")
		column := len(line) - len(bytes.TrimLeft(line, " "))
		if bytes.HasPrefix(line[column:], []byte("- ")) && bytes.HasSuffix(previous, []byte(":")) {
			above := len(previous) - len(bytes.TrimLeft(previous, " "))
			for bytes.HasPrefix(previous[above:], []byte("- ")) {
				above += 2
			}
			return column <= above
		}
		if len(line) > column && line[column] != '#' {
			previous = line
		}
	}
	return true
}

// offset is where a node begins.
func (e *editor) offset(node *yaml.Node) int {
	if node.Line < 1 || node.Line > len(e.starts) {
		return len(e.source)
	}
	// Columns count characters.
	at := e.starts[node.Line-1]
	for range node.Column - 1 {
		if at >= len(e.source) {
			break
		}
		at++
		for at < len(e.source) && e.source[at]&0xc0 == 0x80 {
			at++
		}
	}
	return at
}

// line is the offset of the line that a node begins on.
func (e *editor) line(node *yaml.Node) int {
	if node.Line < 1 || node.Line > len(e.starts) {
		return len(e.source)
	}
	return e.starts[node.Line-1]
}

// end is where the last line ends that belongs to the object.
func (e *editor) end() int {
	end := len(e.source)
	if last := e.starts[len(e.starts)-1]; isMarker(e.source[last:], "...") && last < end {
		return last
	}
	if len(e.starts) > 1 {
		if last := e.starts[len(e.starts)-2]; isMarker(e.source[last:], "...") {
			return last
		}
	}
	return end
}

// trimmed moves the end of an entry back over the blank lines and the comments that belong to what follows it: those that are not
// indented by more than the entry itself.
func (e *editor) trimmed(from, to, column int) int {
	for to > from {
		start := bytes.LastIndexByte(e.source[:max(to-1, 0)], '\n') + 1
		if start <= from {
			return to
		}
		line := e.source[start:to]
		content := bytes.TrimSpace(line)
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if len(content) > 0 && (content[0] != '#' || indent > column) {
			return to
		}
		to = start
	}
	return to
}

func (e *editor) replace(from, to int, with string) {
	e.splices = append(e.splices, splice{from, to, e.breaks(with)})
}

// insert puts whole lines at an offset, which may be behind a last line without an end.
func (e *editor) insert(at int, lines string) {
	if at > 0 && at == len(e.source) && e.source[at-1] != '\n' {
		lines = "\n" + strings.TrimSuffix(lines, "\n")
	}
	e.replace(at, at, lines)
}

func (e *editor) breaks(text string) string {
	if e.newline == "\n" {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", e.newline)
}

// text is the source with all changes.
func (e *editor) text() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, s := range e.splices {
		if s.from < at {
			continue
		}
		out.Write(e.source[at:s.from])
		out.WriteString(s.with)
		at = s.to
	}
	out.Write(e.source[at:])
	return out.Bytes()
}

// mapping changes a block mapping that ends at an offset.
func (e *editor) mapping(node *yaml.Node, end int, want any) {
	values, ok := want.(map[string]any)
	if !ok || len(node.Content) == 0 {
		return
	}
	// The node itself begins at its anchor, if it has one.
	column := node.Content[0].Column - 1
	seen := map[string]bool{}
	last := end
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		from, to := e.line(key), end
		if i+2 < len(node.Content) {
			to = e.line(node.Content[i+2])
		}
		to = e.trimmed(from, to, column)
		last = to
		seen[key.Value] = true
		wanted, kept := values[key.Value]
		switch {
		case key.Tag == "!!merge" && mergedIn(node, value, values, seen):
		case !kept && i == 0 && e.offset(key) != from+column:
			e.entry(key, nil, to) // the dash stands before it: cannot go alone
		case !kept && i == 0 && len(bytes.TrimSpace(e.source[from:e.offset(key)])) > 0:
			e.replace(e.offset(key), e.next(node, i, to), "")
		case !kept:
			e.replace(from, to, "")
		case reflect.DeepEqual(valueOfNode(value), wanted):
		default:
			e.value(entryOf{key: key, value: value, column: column, to: to}, wanted)
		}
	}
	for _, name := range orderedKeys(values) {
		if seen[name] {
			continue
		}
		fresh := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{scalar("!!str", name), nodeOf(values[name])}}
		if text, err := e.encoded(fresh, column); err == nil {
			e.insert(last, text)
		}
	}
}

// mergedIn says whether everything that a merge key brings into a mapping is wanted as it brings it, or said otherwise by the mapping itself;
// it notes the keys that need not be written then.
func mergedIn(node, base *yaml.Node, values map[string]any, seen map[string]bool) bool {
	brought, ok := valueOfNode(base).(map[string]any)
	if !ok {
		return false
	}
	for name, value := range brought {
		if key, _ := entry(node, name); key == nil && !reflect.DeepEqual(values[name], value) {
			return false
		}
	}
	for name := range brought {
		if key, _ := entry(node, name); key == nil {
			seen[name] = true
		}
	}
	return true
}

// next is where the entry after a mapping's first begins, so that it takes the place behind the dash.
func (e *editor) next(node *yaml.Node, i, to int) int {
	if i+2 < len(node.Content) {
		return e.offset(node.Content[i+2])
	}
	return to
}

// entryOf is one entry of a mapping.
type entryOf struct {
	key, value *yaml.Node
	column, to int
}

// entry writes one entry of a mapping anew.
func (e *editor) entry(key, value *yaml.Node, to int) {
	if value == nil {
		return
	}
	k, v := *key, *value
	k.HeadComment, k.FootComment = "", ""
	one := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{&k, &v}}
	text, err := e.encoded(one, key.Column-1)
	if err != nil {
		return
	}
	from := e.offset(key)
	text = text[min(key.Column-1, len(text)):]
	if to > 0 && e.source[to-1] != '\n' {
		text = strings.TrimSuffix(text, "\n")
	}
	e.replace(from, to, text)
}

// value changes the value of an entry.
func (e *editor) value(at entryOf, want any) {
	value := at.value
	fields, isMap := want.(map[string]any)
	list, isList := want.([]any)
	block := value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0
	switch {
	case value.Kind == yaml.MappingNode && isMap && block && len(fields) > 0:
		e.mapping(value, at.to, want)
	case value.Kind == yaml.SequenceNode && isList && block && len(list) > 0:
		e.sequence(value, at.to, list)
	case value.Kind == yaml.ScalarNode && !isMap && !isList && e.scalar(value, want):
	default:
		e.entry(at.key, merged(value, want), at.to)
	}
}

// scalar changes a scalar of one line where it stands.
func (e *editor) scalar(node *yaml.Node, want any) bool {
	from := e.offset(node)
	size := len(node.Value)
	if quote := node.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle); quote != 0 {
		size += 2
	}
	if size == 0 || from+size > len(e.source) || node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	written := string(e.source[from : from+size])
	if strings.Trim(written, `"'`) != strings.Trim(node.Value, `"'`) {
		return false // escapes, or more than one line
	}
	fresh := merged(node, want)
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = "", "", ""
	text, err := e.encoded(fresh, 0)
	text = strings.TrimSuffix(text, "\n")
	if err != nil || strings.Contains(text, "\n") {
		return false
	}
	e.replace(from, from+size, text)
	return true
}

// sequence changes a block sequence that ends at an offset.
func (e *editor) sequence(node *yaml.Node, end int, want []any) {
	column := e.dash(node)
	last := e.line(node.Content[0])
	bounds := func(i int) (from, to int) {
		from = e.line(node.Content[i])
		to = end
		if i+1 < len(node.Content) {
			to = e.line(node.Content[i+1])
		}
		return from, e.trimmed(from, to, column)
	}
	for _, p := range aligned(elements(node), want) {
		switch {
		case p.from < 0:
			item := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{nodeOf(want[p.to])}}
			if text, err := e.encoded(item, column); err == nil {
				e.insert(last, text)
			}
		case p.to < 0:
			from, to := bounds(p.from)
			e.replace(from, to, "")
			last = to
		default:
			_, to := bounds(p.from)
			e.element(node.Content[p.from], to, want[p.to])
			last = to
		}
	}
}

// dash is the column of a block sequence's dashes. The node begins at the first one, or at its anchor.
func (e *editor) dash(node *yaml.Node) int {
	for line := node.Content[0].Line; line > node.Line; line-- {
		text := e.source[e.starts[line-1]:]
		column := len(text) - len(bytes.TrimLeft(text, " "))
		if bytes.HasPrefix(text[column:], []byte("-")) {
			return column
		}
	}
	return node.Column - 1
}

// element changes an element of a block sequence.
func (e *editor) element(node *yaml.Node, to int, want any) {
	if reflect.DeepEqual(valueOfNode(node), want) {
		return
	}
	values, isMap := want.(map[string]any)
	if node.Kind == yaml.MappingNode && node.Style&yaml.FlowStyle == 0 && isMap && len(values) > 0 {
		e.mapping(node, to, want)
		return
	}
	if node.Kind == yaml.ScalarNode && !isMap && e.scalar(node, want) {
		return
	}
	fresh := merged(node, want)
	fresh.HeadComment, fresh.FootComment = "", ""
	text, err := e.encoded(fresh, node.Column-1)
	if err != nil {
		return
	}
	if to > 0 && e.source[to-1] != '\n' {
		text = strings.TrimSuffix(text, "\n")
	}
	e.replace(e.offset(node), to, text[min(node.Column-1, len(text)):])
}
