// SPDX-License-Identifier: Apache-2.0

// Package report says what was found, to people and to programs.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/mesh"
)

// Finding is a finding and where the field that it is about is written.
type Finding struct {
	mesh.Finding
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Report is everything that one analysis has to say.
type Report struct {
	Findings []Finding          `json:"findings"`
	Problems []document.Problem `json:"problems,omitempty"`
}

// Format is an output format.
type Format string

// Formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
	SARIF Format = "sarif"
)

// Formats are all formats.
func Formats() []Format { return []Format{Table, YAML, JSON, SARIF} }

// Sort puts findings in the order of their places, and those of one place in that of mesh.SortFindings.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message),
		)
	})
}

// Reached says whether a finding is as severe as a threshold.
func (f Finding) Reached(threshold mesh.Severity) bool {
	return f.Severity == mesh.Deny || threshold == mesh.Warn && f.Severity == mesh.Warn
}

// Place is "app.yaml:12:3", "app.yaml", or empty for an object of a cluster.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// Write writes a report. Problems go to standard error and not into a table.
func Write(out io.Writer, r Report, format Format, paint Painter) error {
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	switch format {
	case JSON:
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, string(data))
		return err
	case YAML:
		data, err := yaml.Marshal(r)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	case SARIF:
		return writeSARIF(out, r)
	default:
		return writeTable(out, r, paint)
	}
}

// Painter colours text by a finding's severity.
type Painter func(severity mesh.Severity, text string) string

// Plain does not colour.
func Plain(_ mesh.Severity, text string) string { return text }

// Colours paints for terminals.
func Colours(severity mesh.Severity, text string) string {
	switch severity {
	case mesh.Deny:
		return "\x1b[31m" + text + "\x1b[0m"
	case mesh.Warn:
		return "\x1b[33m" + text + "\x1b[0m"
	default:
		return "\x1b[36m" + text + "\x1b[0m"
	}
}

func writeTable(out io.Writer, r Report, paint Painter) error {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(Text(f, paint))
	}
	counts := map[mesh.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	fmt.Fprintf(&b, "%d deny, %d warn, %d audit\n", counts[mesh.Deny], counts[mesh.Warn], counts[mesh.Audit])
	_, err := io.WriteString(out, b.String())
	return err
}

// Text is one finding for people: its place, severity, code and object on a line, then what is wrong, the mend, and its manifest.
func Text(f Finding, paint Painter) string {
	var b strings.Builder
	if place := f.Place(); place != "" {
		b.WriteString(place + ": ")
	}
	fmt.Fprintf(&b, "%s %s %s\n", paint(f.Severity, string(f.Severity)), f.Code, f.Object)
	message := f.Message
	if f.Field != "" {
		message = f.Field + ": " + message
	}
	fmt.Fprintf(&b, "    %s.\n    %s\n", message, f.Fix)
	for line := range strings.Lines(strings.TrimRight(f.Manifest, "\n")) {
		b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
