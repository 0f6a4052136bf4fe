// SPDX-License-Identifier: Apache-2.0

// Package notation writes Kubernetes objects as people might, for tests: in every style of YAML, with comments, anchors and aliases, at
// random.
package notation

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Document draws how an object is written in YAML: one document without markers, with "\n" at the end of each line.
func Document(t *rapid.T, object map[string]any) string {
	w := &writer{t: t, compact: sometimes(t, "compact sequences"), aliases: sometimes(t, "aliases"), indent: rapid.IntRange(1, 4).Draw(t, "indent")}
	w.comment(0)
	if w.draw("flow style as a whole", 19) {
		w.out.WriteString(w.flow(object) + "\n")
	} else {
		w.mapping(object, 0)
	}
	w.comment(0)
	return w.out.String()
}

// Ended draws how the lines of a text end, and whether the last one does.
func Ended(t *rapid.T, text string) string {
	if sometimes(t, "no last line break") {
		text = strings.TrimRight(text, "\n")
	}
	if sometimes(t, "CRLF") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// sometimes is true at times.
func sometimes(t *rapid.T, name string) bool { return rapid.IntRange(0, 2).Draw(t, name) == 0 }

// writer writes one document.
type writer struct {
	t       *rapid.T
	out     strings.Builder
	indent  int
	compact bool
	aliases bool
	anchors []any
}

func (w *writer) draw(name string, of int) bool {
	return rapid.IntRange(0, of).Draw(w.t, name) == 0
}

func (w *writer) spaces(column int) string { return strings.Repeat(" ", column) }

// comment writes lines that say nothing.
func (w *writer) comment(column int) {
	switch rapid.IntRange(0, 9).Draw(w.t, "comment") {
	case 0:
		w.out.WriteString(w.spaces(column) + "# a comment: {of: [some]} *kind\n")
	case 1:
		w.out.WriteString("\n")
	}
}

func (w *writer) lineComment() string {
	return rapid.SampledFrom([]string{"", "", "", "", " # why", "   # it's so", " "}).Draw(w.t, "line comment")
}

// mapping writes the entries of a mapping in block style; the first of them where the writer stands, if that is not at the start of a line.
func (w *writer) mapping(m map[string]any, column int) {
	for i, key := range w.keys(m) {
		if i > 0 || w.atStart() {
			w.comment(column)
			w.out.WriteString(w.spaces(column))
		}
		w.out.WriteString(w.key(key) + ":")
		w.value(m[key], column)
	}
}

func (w *writer) atStart() bool {
	text := w.out.String()
	return text == "" || strings.HasSuffix(text, "\n")
}

func (w *writer) keys(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	if w.draw("shuffled keys", 2) {
		return rapid.Permutation(keys).Draw(w.t, "keys")
	}
	return keys
}

func (w *writer) key(key string) string {
	if w.draw("quoted key", 9) {
		return fmt.Sprintf("%q", key)
	}
	return key
}

// value writes what follows a key's colon, or a dash, of a column.
func (w *writer) value(value any, column int) {
	anchor := w.anchor(value)
	if strings.HasPrefix(anchor, "*") {
		w.out.WriteString(" " + anchor + w.lineComment() + "\n")
		return
	}
	if anchor != "" {
		anchor = " " + anchor
	}
	block := !w.draw("flow style", 4)
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 && block {
			w.out.WriteString(anchor + w.lineComment() + "\n")
			w.mapping(v, column+w.indent)
			return
		}
	case []any:
		if len(v) > 0 && block {
			w.out.WriteString(anchor + w.lineComment() + "\n")
			w.sequence(v, column)
			return
		}
	}
	w.out.WriteString(anchor + " " + w.flow(value) + w.lineComment() + "\n")
}

func (w *writer) sequence(list []any, column int) {
	if !w.compact {
		column += w.indent
	}
	for _, element := range list {
		w.comment(column)
		w.out.WriteString(w.spaces(column) + "-")
		m, isMap := element.(map[string]any)
		if isMap && len(m) > 0 && !w.draw("flow style", 4) {
			w.out.WriteString(" ")
			w.mapping(m, column+2)
			continue
		}
		w.value(element, column+1)
	}
}

// anchor draws an anchor or, of a value that has one already, an alias.
func (w *writer) anchor(value any) string {
	if !w.aliases || value == "" {
		return ""
	}
	known := slices.IndexFunc(w.anchors, func(a any) bool { return reflect.DeepEqual(a, value) })
	switch {
	case known >= 0 && !w.draw("no alias", 2):
		return fmt.Sprintf("*a%d", known)
	case known < 0 && w.draw("anchor", 2):
		// What is written below it may hold anchors, too: it counts as known from here on, which a value inside itself cannot use.
		w.anchors = append(w.anchors, value)
		return fmt.Sprintf("&a%d", len(w.anchors)-1)
	}
	return ""
}

// flow is a value on one line.
func (w *writer) flow(value any) string {
	space := rapid.SampledFrom([]string{"", "", " "}).Draw(w.t, "space")
	comma := rapid.SampledFrom([]string{", ", ", ", ",", " , "}).Draw(w.t, "comma")
	switch v := value.(type) {
	case map[string]any:
		var entries []string
		for _, key := range w.keys(v) {
			entries = append(entries, w.key(key)+": "+w.inside(v[key]))
		}
		return "{" + space + strings.Join(entries, comma) + space + "}"
	case []any:
		var elements []string
		for _, element := range v {
			elements = append(elements, w.inside(element))
		}
		return "[" + space + strings.Join(elements, comma) + space + "]"
	case string:
		return w.text(v)
	default:
		return fmt.Sprint(v)
	}
}

// inside is a value in flow style, or an alias.
func (w *writer) inside(value any) string {
	anchor := w.anchor(value)
	if strings.HasPrefix(anchor, "*") {
		return anchor + " "
	}
	if anchor != "" {
		anchor += " "
	}
	return anchor + w.flow(value)
}

// text is a string, quoted in one way or another where it has to be.
func (w *writer) text(s string) string {
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-./") == "" && s != "" && s != "true" && s != "false" &&
		strings.Trim(s, "0123456789.") != "" && !strings.HasPrefix(s, "-")
	switch {
	case plain && !w.draw("quoted", 5):
		return s
	case w.draw("double quotes", 1) || strings.ContainsAny(s, "\n'"):
		return fmt.Sprintf("%q", s)
	default:
		return "'" + s + "'"
	}
}
