// SPDX-License-Identifier: Apache-2.0

// Package document reads Kubernetes objects from files as they are written: their order, their comments, their bytes and where in the
// file each field is. It changes no more of a text than a change of the object asks for.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// MaxSize of one object, in bytes. The API server takes requests up to 3 MiB (k8s.io/apiserver pkg/server/config.go); whatever is
// larger is no object that it would store. A List may be as large as it likes: its items are objects.
const MaxSize = 4 << 20

var errNoObject = errors.New("not a Kubernetes object")

// Document is one object of the input.
type Document struct {
	// File is the path or URL that it comes from, "-" for standard input.
	File string
	// Number counts the documents of the file, Item those of a List, each from 1; Item is 0 outside a List.
	Number, Item int
	// Line is that of Text's first byte in the file, from 1.
	Line int
	// Text is the document as written: with its "---" line, if any, and every comment up to the next one.
	Text []byte
	// JSON is the object.
	JSON []byte

	APIVersion string
	Kind       string
	Namespace  string
	Name       string

	// column is how many bytes precede Text on its first line.
	column int
	// dash is where in Text the "- " of a List's item begins, or -1.
	dash int
	// newline is how lines of the file end, for a text without an end of its own.
	newline string
}

// Problem is what makes a document unreadable. The rest of its file is read all the same.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
	// Document names the document inside the file: "document 3", "document 1, item 7".
	Document string `json:"document"`
	Message  string `json:"message"`
}

// String is "app.yaml:12: document 3: could not find expected ':'".
func (p Problem) String() string {
	place := fmt.Sprintf("%s:%d", p.File, p.Line)
	if p.Column > 0 {
		place = fmt.Sprintf("%s:%d", place, p.Column)
	}
	return fmt.Sprintf("%s: %s: %s", place, p.Document, p.Message)
}

// Group is the API group, empty for the core group.
func (d *Document) Group() string {
	group, _, found := strings.Cut(d.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// place is the document's name inside its file.
func (d *Document) place() string {
	if d.Item > 0 {
		return fmt.Sprintf("document %d, item %d", d.Number, d.Item)
	}
	return fmt.Sprintf("document %d", d.Number)
}

// Problem says something about the document as a whole.
func (d *Document) Problem(message string) Problem {
	line := d.Line
	if at, ok := d.Position(""); ok {
		line = at.Line
	}
	return Problem{File: d.File, Line: line, Document: d.place(), Message: message}
}

// source is the text as a parser takes it: without the dash of a List's item.
func (d *Document) source() []byte {
	if d.dash < 0 {
		return d.Text
	}
	text := bytes.Clone(d.Text)
	text[d.dash] = ' '
	return text
}

// isJSON says that the document is written as JSON, or as YAML that begins with a brace.
func (d *Document) isJSON() bool {
	return bytes.HasPrefix(bytes.TrimLeft(d.Text, " \t\r\n\ufeff"), []byte("{"))
}

// decode fills in the JSON and the names.
func (d *Document) decode() error {
	var err error
	if source := d.source(); d.isJSON() && json.Valid(source) {
		d.JSON = bytes.Clone(bytes.TrimSpace(source))
	} else if d.JSON, err = yaml.YAMLToJSONStrict(source); err != nil {
		return err
	}
	return d.names()
}

// names fills in what the object is called.
func (d *Document) names() error {
	if string(d.JSON) != "null" && !bytes.HasPrefix(d.JSON, []byte("{")) {
		return errNoObject
	}
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(d.JSON, &meta); err != nil {
		return fmt.Errorf("%w: %w", errNoObject, err)
	}
	d.APIVersion, d.Kind = meta.APIVersion, meta.Kind
	d.Namespace, d.Name = meta.Metadata.Namespace, meta.Metadata.Name
	return nil
}

// Stored is the document of an object that is in no file but in a cluster, from its JSON. It has no text and no position.
func Stored(object []byte) *Document {
	d := &Document{JSON: object, dash: -1}
	// What an API server encoded decodes.
	_ = d.names()
	return d
}

// IsStored says that the object is in a cluster and in no file.
func (d *Document) IsStored() bool { return d.Line == 0 }
