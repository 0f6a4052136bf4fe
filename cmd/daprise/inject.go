// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/controller"
)

// edited is what becomes of a document: its text, or nothing where it is left out.
type edited struct {
	text []byte
	keep bool
}

// writeFiles writes files as one stream, each document as edit says; what is not in edit stays byte for byte.
func writeFiles(out io.Writer, files []document.File, edit map[*document.Document]edited) error {
	s := &stream{out: bufio.NewWriter(out), last: '\n', newline: "\n"}
	for _, file := range files {
		s.begin()
		for text := range file.Written(func(d *document.Document) ([]byte, bool) {
			if e, ok := edit[d]; ok {
				return e.text, e.keep
			}
			return d.Text, true
		}) {
			s.write(text)
		}
		s.end()
	}
	return s.out.Flush()
}

// stream is files in one. Errors of out come with its Flush.
type stream struct {
	out *bufio.Writer
	// last is the last byte written, newline how lines end in what was written last.
	last    byte
	newline string
	// began says that a file was written before this one, started that this one has been.
	began, started bool
	// head is the space with which a file begins: what follows it decides how it is set apart from the file before.
	head []byte
}

func (s *stream) begin() { s.head, s.started = nil, false }

func (s *stream) write(text []byte) {
	if s.started {
		s.put(text)
		return
	}
	if len(s.head) > 0 {
		text = slices.Concat(s.head, text)
	}
	if s.head = text; len(bytes.TrimSpace(text)) > 0 {
		s.start()
	}
}

// end writes a file that is nothing but space.
func (s *stream) end() {
	if len(s.head) > 0 && !s.started {
		s.start()
	}
}

func (s *stream) start() {
	if s.last != '\n' {
		s.put([]byte(s.newline))
	}
	if s.began && !bytes.HasPrefix(bytes.TrimSpace(s.head), []byte("---")) {
		s.put([]byte("---\n"))
	}
	s.put(s.head)
	s.began, s.started = true, true
}

func (s *stream) put(text []byte) {
	if len(text) > 0 {
		s.last, s.newline = text[len(text)-1], newlineOf(text, s.newline)
		_, _ = s.out.Write(text) // Flush tells
	}
}

// newlineOf is how lines of a text end, or what was known before of a text of one line.
func newlineOf(text []byte, before string) string {
	switch at := bytes.LastIndexByte(text, '\n'); {
	case at < 0:
		return before
	case at > 0 && text[at-1] == '\r':
		return "\r\n"
	default:
		return "\n"
	}
}

func inject() *cobra.Command {
	in := &input{}
	command := &cobra.Command{
		Use:   "inject -f FILE",
		Short: "Write files as admission would store them, and the companions with them",
		Long: `Writes every document of the input in its order and with its comments, changed as admission would change it, followed by the objects
that the controller would make. Documents that nothing changes pass through byte for byte.

A document that admission would refuse stays as it is; why is told on standard error, and the exit status is 1. daprise uninject takes
everything back, and companions' objects in the input are made anew.`,
		Example: "  daprise inject -f deploy/ > injected.yaml\n  kubectl get -n dapr-system configmap dapr-trust-bundle -o yaml > trust.yaml\n  daprise inject -f deploy/ -f trust.yaml | kubectl apply -f -",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			in.anew = true
			w, files, err := in.open(command)
			if err != nil {
				return err
			}
			return injected(command, w, files)
		},
	}
	in.bind(command)
	return command
}

func injected(command *cobra.Command, w *world.World, files []document.File) error {
	edit := map[*document.Document]edited{}
	refused := false
	for _, d := range w.LeftOut {
		edit[d] = edited{}
	}
	changes := make([]document.Change, 0, len(w.Objects))
	for _, o := range w.Objects {
		object, err := o.Written()
		if err != nil {
			return err
		}
		changes = append(changes, document.Change{Document: o.Document, Object: object})
		refused = refused || o.Refused()
		for _, f := range o.Findings {
			command.PrintErr(report.Text(place(o, f), painter(command.ErrOrStderr())))
		}
	}
	if err := keep(edit, changes, (*document.Document).Noting); err != nil {
		return err
	}
	out := &counter{to: command.OutOrStdout()}
	if err := writeFiles(out, files, edit); err != nil {
		return err
	}
	planned, err := w.Plan(command.Context())
	if err != nil {
		return err
	}
	if err := writePlanned(command, out, planned); err != nil {
		return err
	}
	if err := tell(command, problems(files, w)); err != nil {
		return err
	}
	if refused {
		return &exit{status: exitFindings, err: errFound}
	}
	return nil
}

// keep notes the texts of changed documents, as write writes them.
func keep(edit map[*document.Document]edited, changes []document.Change, write func(*document.Document, []byte) ([]byte, error)) error {
	texts, err := document.WrittenAll(changes, write)
	for i, text := range texts {
		edit[changes[i].Document] = edited{text: text, keep: true}
	}
	return err
}

// counter knows how a stream ended.
type counter struct {
	to      io.Writer
	began   bool
	last    byte
	newline string
}

// Write implements io.Writer.
func (c *counter) Write(data []byte) (int, error) {
	if len(data) > 0 {
		c.began, c.last, c.newline = true, data[len(data)-1], newlineOf(data, c.newline)
	}
	return c.to.Write(data)
}

// writePlanned writes what the controller would make, and tells what it would not make yet.
func writePlanned(command *cobra.Command, out *counter, planned []controller.Planned) error {
	for _, p := range planned {
		for _, object := range p.Apply {
			content, err := world.Content(object)
			if err != nil {
				return err
			}
			text, err := yaml.Marshal(content.Object)
			if err != nil {
				return fmt.Errorf("encode %s %s: %w", content.GetKind(), content.GetName(), err)
			}
			separator := "---\n"
			if out.began && out.last != '\n' {
				separator = cmp.Or(out.newline, "\n") + separator
			}
			if _, err := fmt.Fprint(out, separator, string(text)); err != nil {
				return err
			}
		}
	}
	tellHeld(command, planned)
	return nil
}

// tellHeld says which workloads are not written, and why. Many that wait for the same are told in one line.
func tellHeld(command *cobra.Command, planned []controller.Planned) {
	const few = 3
	waiting := map[string][]string{}
	for _, p := range planned {
		if p.Held != "" && p.Enrolled {
			waiting[p.Held] = append(waiting[p.Held], p.Ref.String())
		}
	}
	for _, p := range planned {
		refs := waiting[p.Held]
		switch {
		case !p.Enrolled || len(refs) == 0:
		case len(refs) <= few:
			command.PrintErrf("companion %s: its workload is not written yet: %s.\n", p.Ref, p.Held)
		default:
			command.PrintErrf("companions %s and %d more: their workloads are not written yet: %s.\n", strings.Join(refs[:few], ", "), len(refs)-few, p.Held)
			delete(waiting, p.Held)
		}
	}
}

func uninject() *cobra.Command {
	in := &input{}
	command := &cobra.Command{
		Use:   "uninject -f FILE",
		Short: "Take back from files what daprise wrote",
		Long: `Writes every document of the input in its order and with its comments, without what daprise wrote: labels, endpoints and the
companions' way are taken back, and the companions' objects are left out. It is the inverse of daprise inject, and reads objects of a
cluster, too.`,
		Example: "  daprise uninject -f injected.yaml > deploy.yaml\n  kubectl get httproutes -A -o yaml | daprise uninject -f -",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			files, err := in.read(command)
			if err != nil {
				return err
			}
			options, err := in.options(files)
			if err != nil {
				return err
			}
			w, err := world.Read(files, options)
			if err != nil {
				return err
			}
			return uninjected(command, w, files)
		},
	}
	in.bindFiles(command)
	return command
}

func uninjected(command *cobra.Command, w *world.World, files []document.File) error {
	edit := map[*document.Document]edited{}
	var changes []document.Change
	for _, o := range w.Objects {
		if o.IsGenerated() {
			edit[o.Document] = edited{}
			continue
		}
		object, err := w.Left(o)
		if err != nil {
			return err
		}
		changes = append(changes, document.Change{Document: o.Document, Object: object})
	}
	if err := keep(edit, changes, (*document.Document).Back); err != nil {
		return err
	}
	if err := writeFiles(command.OutOrStdout(), files, edit); err != nil {
		return err
	}
	return tell(command, problems(files, w))
}
