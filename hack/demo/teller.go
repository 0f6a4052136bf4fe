// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"
)

// teller writes the scenario for a person to read. Colour only on a terminal and without NO_COLOR.
type teller struct {
	out    io.Writer
	colour bool
}

func newTeller(out *os.File) *teller {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	_, never := os.LookupEnv("NO_COLOR")
	_, always := os.LookupEnv("FORCE_COLOR")
	return &teller{out: out, colour: always || terminal && !never}
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (t *teller) paint(style, text string) string {
	if !t.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (t *teller) printf(format string, args ...any) {
	// Output that cannot be written is nobody's failure: the steps are what is checked.
	_, _ = fmt.Fprintf(t.out, format, args...)
}

// Title begins a step.
func (t *teller) Title(number int, name string) {
	t.printf("\n%s\n\n", t.paint(bold, fmt.Sprintf("%d. %s", number, name)))
}

// Done ends a step.
func (t *teller) Done(took time.Duration) {
	t.printf("   %s %s\n", t.paint(green, "ok"), t.paint(dim, fmt.Sprintf("(%.1f s)", took.Seconds())))
}

// Say tells a sentence or a text.
func (t *teller) Say(text string) { t.printf("   %s\n", indent(text)) }

// Command tells a command line and what it printed.
func (t *teller) Command(line, output string) {
	t.printf("   %s\n", t.paint(cyan, "$ "+indent(line)))
	if output = strings.TrimRight(output, "\n"); output != "" {
		t.printf("   %s\n", indent(output))
	}
}

// Compare tells how an object changed.
func (t *teller) Compare(title, before, after string) {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(before), B: difflib.SplitLines(after), Context: 100,
	})
	if err != nil {
		text = after
	}
	t.printf("   %s\n", t.paint(bold, title))
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "@@"):
			continue
		case strings.HasPrefix(line, "+"):
			line = t.paint(green, line)
		case strings.HasPrefix(line, "-"):
			line = t.paint(red, line)
		}
		t.printf("   %s\n", line)
	}
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n   ") }
