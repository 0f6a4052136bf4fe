// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of go test -json: cmd/internal/test2json and, for builds,
// go help buildjson.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
	// FailedBuild is the ImportPath whose build kept the package from being tested.
	FailedBuild string
}

// test names one test or, with an empty name, what its package printed itself.
type test struct{ pkg, name string }

// summary counts tests and subtests, and keeps the output of those that have not passed.
type summary struct {
	out                     io.Writer
	output                  map[test]*strings.Builder
	builds                  map[string]*strings.Builder
	running                 map[string]bool // packages without a result so far
	failures                []test
	brokenPackages          []string
	passed, failed, skipped int
}

func newSummary(out io.Writer) *summary {
	return &summary{
		out:     out,
		output:  map[test]*strings.Builder{},
		builds:  map[string]*strings.Builder{},
		running: map[string]bool{},
	}
}

// read consumes the events. A line that is none is passed on: tools that fail
// before the first test print plain text.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
}

func (s *summary) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		s.printf("%s", line)
		return
	}
	switch e.Action {
	case "build-output":
		appendTo(s.builds, e.ImportPath, e.Output)
	case "output":
		appendTo(s.output, test{e.Package, e.Test}, e.Output)
	case "start":
		s.running[e.Package] = true
	case "pass", "fail", "skip":
		s.result(e)
	}
}

func (s *summary) result(e event) {
	if e.Test == "" {
		s.packageResult(e)
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
	default:
		s.failed++
		s.failures = append(s.failures, test{e.Package, e.Test})
	}
}

// packageResult prints the package's line, as go test does, and what failed in it.
func (s *summary) packageResult(e event) {
	delete(s.running, e.Package)
	word := map[string]string{"pass": "ok  ", "fail": "FAIL", "skip": "?   "}[e.Action]
	s.printf("%s  %s  %.1f s\n", word, e.Package, e.Elapsed)
	if e.Action == "fail" {
		s.packageFailure(e)
	}
	maps.DeleteFunc(s.output, func(t test, _ *strings.Builder) bool { return t.pkg == e.Package })
}

// packageFailure prints the output of the package's failed tests. Where none
// failed, the package itself did: it could not be built, panicked, ran out of time.
func (s *summary) packageFailure(e event) {
	printed := false
	for _, failure := range s.failures {
		if failure.pkg == e.Package {
			s.printf("%s", textOf(s.output, failure))
			printed = true
		}
	}
	s.printf("%s%s", textOf(s.builds, e.FailedBuild), textOf(s.output, test{pkg: e.Package}))
	if printed {
		return
	}
	// A test that was running when the process died has no result of its own.
	for _, t := range slices.SortedFunc(maps.Keys(s.output), byName) {
		if t.pkg == e.Package && t.name != "" {
			s.printf("%s", textOf(s.output, t))
		}
	}
	s.failed++
	s.brokenPackages = append(s.brokenPackages, e.Package)
}

// finish prints the failed tests once more, by name, and the closing line. It
// reports whether all is well.
func (s *summary) finish() bool {
	for _, pkg := range slices.Sorted(maps.Keys(s.running)) {
		s.failed++
		s.brokenPackages = append(s.brokenPackages, pkg+" (no result)")
	}
	ran := s.passed+s.failed+s.skipped > 0
	if !ran {
		s.printf("no test ran\n")
	}
	for _, failure := range s.failures {
		s.printf("failed: %s %s\n", failure.pkg, failure.name)
	}
	for _, pkg := range s.brokenPackages {
		s.printf("failed: %s\n", pkg)
	}
	s.printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return ran && s.failed == 0
}

func (s *summary) printf(format string, args ...any) {
	// Standard output that is gone ends the program by SIGPIPE.
	_, _ = fmt.Fprintf(s.out, format, args...)
}

func byName(a, b test) int { return strings.Compare(a.name, b.name) }

func appendTo[K comparable](texts map[K]*strings.Builder, key K, text string) {
	if texts[key] == nil {
		texts[key] = &strings.Builder{}
	}
	texts[key].WriteString(text)
}

func textOf[K comparable](texts map[K]*strings.Builder, key K) string {
	if texts[key] == nil {
		return ""
	}
	return texts[key].String()
}
