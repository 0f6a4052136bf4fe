// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/mesh"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := progress{&out}
	p.tell("reading %s", "a.yaml")
	p.tell("judging %d objects", 7)
	p.end()
	if want := "\r\x1b[Kreading a.yaml\r\x1b[Kjudging 7 objects\r\x1b[K"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
	out.Reset()
	quiet := progressOn(&out)
	quiet.tell("reading")
	quiet.end()
	if out.Len() > 0 {
		t.Errorf("told %q where there is no terminal", out.String())
	}
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if progressOn(file).out != nil {
		t.Error("a file counts as a terminal")
	}
}

// TestColour: there is colour on a terminal alone, and none with NO_COLOR.
func TestColour(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal here: %v", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	text := func(p report.Painter) string {
		return report.Text(report.Finding{Finding: mesh.Finding{Code: mesh.CodeNotIsolated, Severity: mesh.Deny, Message: "open"}}, p)
	}
	plain, coloured := text(report.Plain), text(report.Colours)
	if plain == coloured {
		t.Fatal("colours change nothing")
	}
	t.Setenv("NO_COLOR", "")
	for _, tt := range []struct {
		name, noColor, want string
		out                 io.Writer
	}{
		{name: "a terminal", out: terminal, want: coloured},
		{name: "a terminal with NO_COLOR", out: terminal, noColor: "1", want: plain},
		{name: "a file", out: file, want: plain},
		{name: "a buffer", out: &bytes.Buffer{}, want: plain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			if got := text(painter(tt.out)); got != tt.want {
				t.Errorf("painted %q, want %q", got, tt.want)
			}
		})
	}
}
