// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/mesh"
)

var (
	errFormat    = errors.New("not an output format")
	errThreshold = errors.New("not a threshold")
)

// analysis is the command line of daprise analyze.
type analysis struct {
	input
	output    string
	threshold string
	suppress  []string
	// now is the clock by which suppressions expire.
	now func() time.Time
}

func analyze() *cobra.Command {
	a := &analysis{now: time.Now}
	command := &cobra.Command{
		Use:   "analyze -f FILE",
		Short: "Say what admission would find in files",
		Long: `Judges all objects of the input in one world, each as if it were created while the others are there, and prints what admission
would refuse or warn about, where it is written and what to do.

The exit status is 0 if nothing reaches the threshold, 1 if something does, and 2 if some of the input could not be read.`,
		Example: "  daprise analyze -f deploy/\n  daprise analyze -f - -o sarif < app.yaml > daprise.sarif\n  daprise analyze -f deploy/ --threshold warn --suppress 'DPR110=probes until 2027-01-31'",
		Args:    cobra.NoArgs,
		RunE:    a.run,
	}
	a.bind(command)
	a.bindLive(command)
	command.Flags().StringVarP(&a.output, "output", "o", string(report.Table), "table, yaml, json or sarif")
	command.Flags().StringVar(&a.threshold, "threshold", string(mesh.Deny), "least severity that makes the exit status 1: deny or warn")
	command.Flags().StringArrayVar(&a.suppress, "suppress", nil, "leave out warnings: 'DPR###=reason until YYYY-MM-DD'; may be repeated")
	return command
}

func (a *analysis) run(command *cobra.Command, _ []string) error {
	if !slices.Contains(report.Formats(), report.Format(a.output)) {
		return fmt.Errorf("-o: %w: %q; it is table, yaml, json or sarif", errFormat, a.output)
	}
	threshold := mesh.Severity(a.threshold)
	if threshold != mesh.Deny && threshold != mesh.Warn {
		return fmt.Errorf("--threshold: %w: %q; it is deny or warn", errThreshold, a.threshold)
	}
	suppressor, err := report.NewSuppressor(a.suppress, a.now())
	if err != nil {
		return err
	}
	w, files, err := a.open(command)
	if err != nil {
		return err
	}
	findings := placed(w, suppressor)
	unread := problems(files, w)
	out := command.OutOrStdout()
	if err := report.Write(out, report.Report{Findings: findings, Problems: unread}, report.Format(a.output), painter(out)); err != nil {
		return err
	}
	if err := tell(command, unread); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f report.Finding) bool { return f.Reached(threshold) }) {
		return &exit{status: exitFindings, err: errFound}
	}
	return nil
}

// placed are the findings of a World, each with its place, without those that are suppressed.
func placed(w *world.World, suppressor *report.Suppressor) []report.Finding {
	var all, findings []report.Finding
	for _, o := range w.Objects {
		if value, ok := o.Annotation(mesh.AnnotationSuppress); ok {
			at := place(o, mesh.Finding{Object: o.Name, Field: "metadata.annotations[" + mesh.AnnotationSuppress + "]"})
			if wrong, bad := suppressor.Annotation(value, at); bad && !slices.ContainsFunc(o.Findings, onSuppression) {
				findings = append(findings, wrong)
			}
		}
		for _, f := range o.Findings {
			all = append(all, place(o, f))
		}
	}
	for _, f := range all {
		if !suppressor.Suppresses(f) {
			findings = append(findings, f)
		}
	}
	findings = append(findings, suppressor.Findings()...)
	report.Sort(findings)
	return findings
}

// onSuppression says that admission has already found the annotation wrong.
func onSuppression(f mesh.Finding) bool {
	return f.Field == "metadata.annotations["+mesh.AnnotationSuppress+"]"
}

// place says where a finding's field is written.
func place(o *world.Object, f mesh.Finding) report.Finding {
	placed := report.Finding{Finding: f, File: o.Document.File}
	if at, ok := o.Document.Position(f.Field); ok {
		placed.Line, placed.Column = at.Line, at.Column
	}
	return placed
}

// painter colours for a terminal, unless NO_COLOR says otherwise (no-color.org).
func painter(out io.Writer) report.Painter {
	if file, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" && isTerminal(file) {
		return report.Colours
	}
	return report.Plain
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
