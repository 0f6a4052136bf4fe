// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// File is one file of the input, in segments that make up its bytes.
type File struct {
	Name     string
	Segments []Segment
	Problems []Problem
}

// Segment is a stretch of a file: an object, or what lies between objects.
type Segment struct {
	// Text is what passes through as it is.
	Text []byte
	// Document is the object that Text is, or nil.
	Document *Document
}

// Parse reads a file. What cannot be read becomes a Problem and passes through as it is.
func Parse(name string, data []byte) File {
	p := &parser{file: File{Name: name}}
	line := 1
	for number := 1; len(data) > 0; number++ {
		size := chunk(data)
		p.chunk(&Document{File: name, Number: number, Line: line, Text: data[:size], dash: -1})
		line += bytes.Count(data[:size], []byte("\n"))
		data = data[size:]
	}
	return p.file
}

// chunk is the length of the first document of a YAML stream. A line that begins with "---" or "..." ends a document whatever it is
// in (YAML 1.2, c-forbidden); the former begins the next one, too.
func chunk(data []byte) int {
	at, started := 0, false
	for at < len(data) {
		line := data[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		if isMarker(line, "...") {
			return at + len(line)
		}
		if isMarker(line, "---") {
			if started {
				return at
			}
			started = true
		} else if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' && trimmed[0] != '%' {
			started = true
		}
		at += len(line)
	}
	return at
}

func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	return len(line) == len(marker) || bytes.IndexByte([]byte(" \t\r\n"), line[len(marker)]) >= 0
}

type parser struct{ file File }

func (p *parser) pass(text []byte) {
	if len(text) > 0 {
		p.file.Segments = append(p.file.Segments, Segment{Text: text})
	}
}

// chunk reads one document of the stream.
func (p *parser) chunk(d *Document) {
	if items, ok := listItems(d); ok {
		p.items(d, items)
		return
	}
	if len(d.Text) > MaxSize {
		p.oversized(d)
		return
	}
	if isEmpty(d.Text) {
		p.pass(d.Text)
		return
	}
	p.object(d)
	last := p.file.Segments[len(p.file.Segments)-1].Document
	if last != nil && last.Kind == "List" && bytes.Contains(last.JSON, []byte(`"items":[{`)) {
		p.file.Problems = append(p.file.Problems, d.Problem(
			"the items of this List cannot be told apart (they share an anchor, or are indented unevenly); write them as documents of their own"))
	}
}

// object reads one object.
func (p *parser) object(d *Document) {
	if err := d.decode(); err != nil {
		p.file.Problems = append(p.file.Problems, d.broken(err))
		p.pass(d.Text)
		return
	}
	if string(d.JSON) == "null" {
		p.pass(d.Text)
		return
	}
	if d.Kind == "" {
		p.file.Problems = append(p.file.Problems, d.Problem("no kind: not a Kubernetes object"))
		p.pass(d.Text)
		return
	}
	p.file.Segments = append(p.file.Segments, Segment{Text: d.Text, Document: d})
}

// oversized passes a document through that is too large for an object. It is a problem only if its kind, read off the text, is one
// that the API server would have to store.
func (p *parser) oversized(d *Document) {
	p.pass(d.Text)
	p.file.Problems = append(p.file.Problems, Problem{
		File: d.File, Line: d.Line, Document: d.place(),
		Message: "has " + strconv.Itoa(len(d.Text)) + " bytes, over " + strconv.Itoa(MaxSize) + ": no API server would store it, and it is not read",
	})
}

// items reads the items of a List.
func (p *parser) items(list *Document, items []span) {
	at := 0
	line := list.Line
	advance := func(to int) {
		line += bytes.Count(list.Text[at:to], []byte("\n"))
		at = to
	}
	for i, s := range items {
		p.pass(list.Text[at:s.from])
		advance(s.from)
		d := &Document{File: list.File, Number: list.Number, Item: i + 1, Line: line, Text: list.Text[s.from:s.to], dash: s.dash, column: s.column}
		if len(d.Text) > MaxSize {
			p.oversized(d)
		} else {
			p.object(d)
		}
		advance(s.to)
	}
	p.pass(list.Text[at:])
}

// isEmpty says that a text holds nothing but markers, directives, comments and space.
func isEmpty(text []byte) bool {
	for line := range bytes.Lines(text) {
		if isMarker(line, "---") || isMarker(line, "...") {
			line = line[3:]
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// broken is the problem of a document that cannot be parsed. The YAML library tells the line in its text alone, counted from the
// document's first.
func (d *Document) broken(err error) Problem {
	p := Problem{File: d.File, Line: d.Line, Document: d.place()}
	message := strings.ReplaceAll(err.Error(), "error converting YAML to JSON: ", "")
	message = strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(message, "yaml: unmarshal errors:", ""), "yaml: ", "")), " ")
	found := regexp.MustCompile(`line (\d+): `).FindStringSubmatchIndex(message)
	if found != nil {
		if n, err := strconv.Atoi(message[found[2]:found[3]]); err == nil {
			p.Line = d.Line + n - 1
		}
		message = message[:found[0]] + message[found[1]:]
	}
	p.Message = message
	return p
}
