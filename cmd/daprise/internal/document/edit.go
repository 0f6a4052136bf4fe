// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	syaml "sigs.k8s.io/yaml"
)

var errNotWritten = errors.New("the changed document does not read as it should")

// With is the document's text with the object changed to another, given as JSON. Only what differs is written anew: comments stay, and
// so do the bytes of everything else. It does not modify the document.
func (d *Document) With(object []byte) ([]byte, error) {
	if bytes.Equal(object, d.JSON) {
		return d.Text, nil
	}
	want, err := valueOf(object)
	if err != nil {
		return nil, err
	}
	have, err := valueOf(d.JSON)
	if err != nil {
		return nil, err
	}
	if reflect.DeepEqual(want, have) {
		return d.Text, nil
	}
	root, err := d.node()
	if err != nil || root == nil {
		return nil, fmt.Errorf("parse %s: %w", d.place(), err)
	}
	if d.isJSON() {
		if json.Valid(d.source()) {
			if text, ok := d.splicedJSON(want); ok {
				return text, nil
			}
		}
		return d.writtenJSON(merged(root, want))
	}
	if text, ok := d.spliced(root, want); ok {
		return text, nil
	}
	text, err := d.rewritten(dereferenced(root), want)
	if err != nil {
		return nil, err
	}
	if ok, err := d.reads(text, want); !ok {
		return nil, errors.Join(errNotWritten, err)
	}
	return text, nil
}

// spliced is the text changed in place, if that reads as the value. Where a change in one place shows in others, by an alias, those are written
// out first.
func (d *Document) spliced(root *yaml.Node, want any) ([]byte, bool) {
	if root.Style&yaml.FlowStyle != 0 {
		return nil, false
	}
	text := d.edited(root, want)
	if ok, err := d.reads(text, want); ok && err == nil {
		return text, true
	}
	text, found := d.apart(root, want)
	if !found {
		return nil, false
	}
	apart := d.as(text, d.JSON)
	root, err := apart.node()
	if err != nil || root == nil {
		return nil, false
	}
	text = apart.edited(root, want)
	ok, err := d.reads(text, want)
	return text, ok && err == nil
}

// Change is a document and what its object is changed to, as JSON.
type Change struct {
	Document *Document
	Object   []byte
}

// WrittenAll writes many documents, side by side, by With, Noting or Back: their texts in the same order.
func WrittenAll(changes []Change, write func(*Document, []byte) ([]byte, error)) ([][]byte, error) {
	texts, errs := make([][]byte, len(changes)), make([]error, len(changes))
	sideBySide(len(changes), func(i int) { texts[i], errs[i] = write(changes[i].Document, changes[i].Object) })
	for i, err := range errs {
		if err != nil {
			d := changes[i].Document
			return nil, fmt.Errorf("write %s %s: %w", d.Kind, d.Name, err)
		}
	}
	return texts, nil
}

// valueOf decodes JSON for comparison, numbers digit by digit.
func valueOf(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	return value, nil
}

// reads says whether a text reads as the value.
func (d *Document) reads(text []byte, want any) (bool, error) {
	changed := *d
	changed.Text = text
	data, err := syaml.YAMLToJSONStrict(changed.source())
	if err != nil {
		return false, nil //nolint:nilerr // a text that does not parse does not read as the value
	}
	have, err := valueOf(data)
	return err == nil && reflect.DeepEqual(have, want), err
}

// edited changes the text in place.
func (d *Document) edited(root *yaml.Node, want any) []byte {
	e := d.editor()
	e.mapping(root, e.end(), want)
	text := d.ended(e.text())
	if d.dash >= 0 {
		text[d.dash] = '-'
	}
	return text
}

// ended is a text without a last line break where the document has none.
func (d *Document) ended(text []byte) []byte {
	if bytes.HasSuffix(d.Text, []byte("\n")) {
		return text
	}
	return bytes.TrimRight(text, "\r\n")
}

// rewritten writes the whole object anew, with its comments.
func (d *Document) rewritten(root *yaml.Node, want any) ([]byte, error) {
	e := d.editor()
	text, err := e.encoded(merged(root, want), root.Column-1)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if d.dash < 0 && isMarker(d.Text, "---") {
		out.WriteString("---" + e.newline)
	}
	out.WriteString(e.breaks(text))
	end := d.Text[len(bytes.TrimRight(d.Text, "\r\n")):]
	result := append(bytes.TrimRight(out.Bytes(), "\r\n"), end...)
	if d.dash >= 0 {
		result[d.dash] = '-'
	}
	return result, nil
}

// encoded is a node as YAML, indented.
func (e *editor) encoded(node *yaml.Node, indent int) (string, error) {
	var b bytes.Buffer
	style := yaml.WideSequenceStyle
	if e.compact {
		style = yaml.CompactSequenceStyle
	}
	encoder := yaml.NewEncoderWithOptions(&b, &yaml.EncoderOptions{SeqIndent: style})
	if err := encoder.Encode(node); err != nil {
		return "", fmt.Errorf("encode YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("encode YAML: %w", err)
	}
	if indent == 0 {
		return b.String(), nil
	}
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(strings.Repeat(" ", indent))
		}
		out.WriteString(line)
	}
	return out.String(), nil
}
