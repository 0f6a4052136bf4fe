// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// A note is a comment at the end of a changed document: how it was written where changing it back would be written otherwise, as lines
// that begin with noteWritten and noteWas. Nothing is believed of it that does not read as the same object.
const (
	noteHead    = "# For daprise uninject: what it would write from line %d on (-), and what was there (+)."
	noteWritten = "#-"
	noteWas     = "#+"
)

// note is what a document says about its own lines from one on, counted from 0.
type note struct {
	from         int
	written, was [][]byte
}

// Noting is With, and adds a note where Back would give another text than the document's. No text in JSON, which has no comments, gets one.
func (d *Document) Noting(object []byte) ([]byte, error) {
	text, err := d.With(object)
	if err != nil || bytes.Equal(text, d.Text) || d.isJSON() && json.Valid(d.source()) {
		return text, err
	}
	back, err := d.as(text, object).Back(d.JSON)
	if err != nil || bytes.Equal(back, d.Text) {
		return text, err
	}
	noted := d.as(text, object).noted(noteOf(back, d.Text))
	want, err := valueOf(object)
	if err != nil {
		return nil, err
	}
	// A note that would be misread is none.
	if ok, err := d.reads(noted, want); !ok || err != nil {
		return text, err
	}
	if back, err := d.as(noted, object).Back(d.JSON); err != nil || !bytes.Equal(back, d.Text) {
		return text, err
	}
	return noted, nil
}

// Back is With for an object that is changed back: the document's note goes, and what is written where it says so is as it was.
func (d *Document) Back(object []byte) ([]byte, error) {
	plain, n, found := d.cutNote()
	if !found {
		return d.With(object)
	}
	text, err := d.as(plain, d.JSON).With(object)
	if err != nil {
		return nil, err
	}
	want, err := valueOf(object)
	if err != nil {
		return nil, err
	}
	was, ok := n.apply(text)
	if !ok {
		return text, nil
	}
	if ok, err = d.reads(was, want); !ok || err != nil {
		return text, err
	}
	return was, nil
}

// as is the document with another text, and the object that it reads as.
func (d *Document) as(text, object []byte) *Document {
	changed := *d
	changed.Text, changed.JSON = text, object
	return &changed
}

// lines are those of a text, each with its end.
func lines(text []byte) [][]byte { return slices.Collect(bytes.Lines(text)) }

// noteOf is the difference of two texts.
func noteOf(written, was []byte) note {
	a, b := lines(written), lines(was)
	n := note{}
	for n.from < min(len(a), len(b)) && bytes.Equal(a[n.from], b[n.from]) {
		n.from++
	}
	a, b = a[n.from:], b[n.from:]
	for len(a) > 0 && len(b) > 0 && bytes.Equal(a[len(a)-1], b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	n.written, n.was = a, b
	return n
}

// apply writes the lines of a text as they were; false if they are not those that the note means. How the text ends is not for the note to
// say.
func (n note) apply(text []byte) ([]byte, bool) {
	all := lines(text)
	to := n.from + len(n.written)
	if n.from < 0 || to > len(all) || !reflect.DeepEqual(trimmedEnds(all[n.from:to]), trimmedEnds(n.written)) {
		return nil, false
	}
	was := bytes.Join(n.was, nil)
	if to == len(all) && to > 0 {
		was = append(bytes.TrimSuffix(bytes.TrimSuffix(was, []byte("\n")), []byte("\r")), lineEnd(all[to-1])...)
	}
	return slices.Concat(bytes.Join(all[:n.from], nil), was, bytes.Join(all[to:], nil)), true
}

func trimmedEnds(lines [][]byte) []string {
	list := make([]string, 0, len(lines))
	for _, line := range lines {
		list = append(list, string(bytes.TrimRight(line, "\r\n")))
	}
	return list
}

// noted is the document's text with a note behind it.
func (d *Document) noted(n note) []byte {
	e := d.editor()
	block := fmt.Appendf(nil, noteHead+e.newline, n.from+1)
	for _, line := range n.written {
		block = append(append(block, noteWritten...), ended(line, e.newline)...)
	}
	for _, line := range n.was {
		block = append(append(block, noteWas...), ended(line, e.newline)...)
	}
	at := e.end()
	if at > 0 && d.Text[at-1] != '\n' {
		block = append([]byte(e.newline), bytes.TrimSuffix(bytes.TrimSuffix(block, []byte("\n")), []byte("\r"))...)
	}
	return slices.Concat(d.Text[:at], block, d.Text[at:])
}

// cutNote takes the note out of the text.
func (d *Document) cutNote() (plain []byte, n note, found bool) {
	all := lines(d.Text)
	head := regexp.MustCompile(`^# For daprise uninject: what it would write from line (\d+) on `)
	at := slices.IndexFunc(all, head.Match)
	if at < 0 {
		return d.Text, note{}, false
	}
	number, err := strconv.Atoi(string(head.FindSubmatch(all[at])[1]))
	if err != nil {
		return d.Text, note{}, false
	}
	n.from = number - 1
	end := lineEnd(all[at])
	to := at + 1
	for ; to < len(all); to++ {
		if line, ok := bytes.CutPrefix(all[to], []byte(noteWritten)); ok && len(n.was) == 0 {
			n.written = append(n.written, ended(line, end))
		} else if line, ok := bytes.CutPrefix(all[to], []byte(noteWas)); ok {
			n.was = append(n.was, ended(line, end))
		} else {
			break
		}
	}
	before := bytes.Join(all[:at], nil)
	if last := lineEnd(all[to-1]); last != end {
		// The note is behind a last line that had no end; what ends the note now came behind it.
		before = append(bytes.TrimSuffix(before, []byte(end)), last...)
		if i := len(n.was) - 1; i >= 0 {
			n.was[i] = append(bytes.TrimRight(n.was[i], "\r\n"), end...)
		}
	}
	plain = slices.Concat(before, bytes.Join(all[to:], nil))
	return plain, n, true
}

func lineEnd(line []byte) string { return string(line[len(bytes.TrimRight(line, "\r\n")):]) }

// ended is a line with an end.
func ended(line []byte, end string) []byte {
	if bytes.HasSuffix(line, []byte("\n")) {
		return line
	}
	return slices.Concat(line, []byte(end))
}
