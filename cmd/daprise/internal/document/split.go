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
	// listed is how Text stands in a List.
	listed listed
}

// listed says whether a segment is part of a List written as JSON, whose items are set apart by commas.
type listed int

const (
	// alone is text outside of such a List, and what begins or ends it.
	alone listed = iota
	// item is an item, readable or not.
	item
	// separator is what stands between two items.
	separator
)

// Parse reads a file, its objects side by side. What cannot be read becomes a Problem and passes through as it is.
func Parse(name string, data []byte) File {
	return parse(name, data, func(*Document) bool { return true })
}

// parse is Parse, without the JSON of objects that nobody asks for: they are most of a large input.
func parse(name string, data []byte, wanted func(*Document) bool) File {
	p := &parser{}
	newline := "\n"
	if bytes.Contains(data, []byte("\r\n")) {
		newline = "\r\n"
	}
	line := 1
	for number := 1; len(data) > 0; number++ {
		size := chunk(data)
		p.chunk(&Document{File: name, Number: number, Line: line, Text: data[:size], dash: -1, newline: newline})
		line += bytes.Count(data[:size], []byte("\n"))
		data = data[size:]
	}
	// Reading objects is most of the work of a large input.
	sideBySide(len(p.parts), func(i int) {
		p.parts[i].read()
		if d := p.parts[i].Document; d != nil && !wanted(d) {
			d.JSON = nil
		}
	})
	file := File{Name: name, Segments: make([]Segment, 0, len(p.parts))}
	for i := range p.parts {
		file.Segments = append(file.Segments, p.parts[i].Segment)
		if problem := p.parts[i].problem; problem != nil {
			file.Problems = append(file.Problems, *problem)
		}
	}
	return file
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

// part is a segment, and what is wrong with it.
type part struct {
	Segment
	problem *Problem
}

type parser struct{ parts []part }

func (p *parser) pass(text []byte) {
	if len(text) > 0 {
		p.parts = append(p.parts, part{Segment: Segment{Text: text}})
	}
}

// list says of the parts from one on how they stand in a List.
func (p *parser) list(from int, how listed) {
	for i := from; i < len(p.parts); i++ {
		p.parts[i].listed = how
	}
}

// chunk takes apart one document of the stream.
func (p *parser) chunk(d *Document) {
	if items, ok := listItems(d); ok {
		p.items(d, items)
		return
	}
	p.object(d)
}

// object takes in one object, to be read, or what is none.
func (p *parser) object(d *Document) {
	switch {
	case len(d.Text) > MaxSize:
		p.parts = append(p.parts, part{Segment{Text: d.Text}, &Problem{
			File: d.File, Line: d.Line, Document: d.place(),
			Message: "has " + strconv.Itoa(len(d.Text)) + " bytes, over " + strconv.Itoa(MaxSize) + ": no API server would store it, and it is not read",
		}})
	case isEmpty(d.Text):
		p.pass(d.Text)
	default:
		p.parts = append(p.parts, part{Segment: Segment{Text: d.Text, Document: d}})
	}
}

// read reads the part's object. A part that holds none, or one that cannot be read, is text alone.
func (p *part) read() {
	d := p.Document
	if d == nil {
		return
	}
	err := d.decode()
	switch {
	case err != nil:
		p.Document, p.problem = nil, new(d.broken(err))
	case string(d.JSON) == "null":
		p.Document = nil
	case d.Kind == "":
		p.Document, p.problem = nil, new(d.Problem("no kind: not a Kubernetes object"))
	case d.Item == 0 && d.Kind == "List" && bytes.Contains(d.JSON, []byte(`"items":[{`)):
		p.problem = new(d.Problem("the items of this List cannot be told apart (they share an anchor, or are indented unevenly); write them as documents of their own"))
	}
}

// items reads the items of a List.
func (p *parser) items(list *Document, items []span) {
	at := 0
	line := list.Line
	advance := func(to int) {
		line += bytes.Count(list.Text[at:to], []byte("\n"))
		at = to
	}
	commas := len(items) > 0 && items[0].dash < 0
	for i, s := range items {
		before := len(p.parts)
		p.pass(list.Text[at:s.from])
		if commas && i > 0 {
			p.list(before, separator)
		}
		before = len(p.parts)
		advance(s.from)
		d := &Document{File: list.File, Number: list.Number, Item: i + 1, Line: line, Text: list.Text[s.from:s.to], dash: s.dash, column: s.column, newline: list.newline}
		p.object(d)
		if commas {
			p.list(before, item)
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
