// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/validate/catalog"
)

var errNoSuchCode = errors.New("there is no such code")

func explain() *cobra.Command {
	var list bool
	command := &cobra.Command{
		Use:     "explain CODE...",
		Short:   "Say what a code means, why there is such a rule and how to mend it",
		Example: "  daprise explain DPR101\n  daprise explain --list",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case list && len(args) > 0:
				return errors.New("--list takes no code")
			case !list && len(args) == 0:
				return errors.New("name a code, like DPR101, or --list them")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if list {
				return writeList(command.OutOrStdout())
			}
			return writeRules(command.OutOrStdout(), args)
		},
	}
	command.Flags().BoolVar(&list, "list", false, "print every code with its severity and title")
	return command
}

func writeList(out io.Writer) error {
	for _, r := range catalog.Rules() {
		if _, err := fmt.Fprintf(out, "%s  %-4s  %s\n", r.Code, r.Severity, r.Title); err != nil {
			return err
		}
	}
	return nil
}

// writeRules explains each code, written as a person might: "dpr101", "101", "[DPR101]". It writes nothing if one is unknown.
func writeRules(out io.Writer, args []string) error {
	var text strings.Builder
	for i, arg := range args {
		rule, ok := catalog.Find(codeOf(arg))
		if !ok {
			return fmt.Errorf("%w: %q; daprise explain --list prints them all", errNoSuchCode, arg)
		}
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(ruleText(rule))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func codeOf(arg string) mesh.Code {
	number := strings.TrimPrefix(strings.ToUpper(strings.Trim(arg, "[]")), "DPR")
	return mesh.Code("DPR" + number)
}

func ruleText(r catalog.Rule) string {
	example := "Admission gives no finding of this code in this version."
	if r.Example != "" {
		example = r.Example
	}
	severity := string(r.Severity)
	if r.Code.Coverage() && r.Severity == mesh.Deny {
		severity += ", or milder by the namespace's label " + mesh.LabelCoverage
	}
	return fmt.Sprintf("%s: %s\nSeverity: %s\n\n%s\n\nWhy\n%s\n\nExample\n%s\n\nWhat to do\n%s\n",
		r.Code, r.Title, severity, indented(r.Means), indented(r.Why), indented(example), indented(r.Mend))
}

// indented wraps a paragraph at 96 characters, so that it fits a terminal of 100.
func indented(paragraph string) string {
	const width = 96
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(paragraph) {
		switch {
		case column == 0:
			b.WriteString("    ")
		case column+1+len(word) > width:
			b.WriteString("\n    ")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
