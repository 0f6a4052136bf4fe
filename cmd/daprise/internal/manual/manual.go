// SPDX-License-Identifier: Apache-2.0

// Package manual writes man pages (man(7)) of commands: what --help says, laid out as a page of section 1.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Pages are the man pages of a command and of all that are below it, but for hidden ones, by their file names: "daprise-analyze.1".
func Pages(command *cobra.Command, version string) map[string]string {
	pages := map[string]string{}
	add(pages, command, version)
	return pages
}

func add(pages map[string]string, command *cobra.Command, version string) {
	if !command.IsAvailableCommand() {
		return
	}
	pages[name(command)+".1"] = page(command, version)
	for _, sub := range command.Commands() {
		add(pages, sub, version)
	}
}

// name is that of a command's page.
func name(command *cobra.Command) string {
	return strings.ReplaceAll(command.CommandPath(), " ", "-")
}

func page(command *cobra.Command, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH \"%s\" \"1\" \"\" \"daprise %s\" \"daprise\"\n", strings.ToUpper(name(command)), escaped(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escaped(name(command)), escaped(command.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escaped(command.UseLine()))
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(described(command)))
	if options := options(command); options != "" {
		b.WriteString(".SH OPTIONS\n" + options)
	}
	if command.Example != "" {
		b.WriteString(".SH EXAMPLES\n" + verbatim(command.Example))
	}
	if command.Runnable() {
		b.WriteString(".SH EXIT STATUS\n" + exitStatus)
	}
	b.WriteString(".SH SEE ALSO\n" + related(command))
	return b.String()
}

// exitStatus is what all commands have in common (contract: "CLI shapes").
const exitStatus = `.TP
.B 0
All is well.
.TP
.B 1
Something was found, or is refused.
.TP
.B 2
The command line could not be understood, or some of the input could not be read.
`

func described(command *cobra.Command) string {
	if command.Long != "" {
		return command.Long
	}
	return command.Short + "."
}

// paragraphs is running text, with blank lines between.
func paragraphs(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		for line := range strings.Lines(paragraph) {
			b.WriteString(escaped(strings.TrimSpace(line)) + "\n")
		}
	}
	return b.String()
}

// verbatim is text whose lines stay as they are.
func verbatim(text string) string {
	var b strings.Builder
	b.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		b.WriteString(escaped(strings.TrimRight(line, "\n")) + "\n")
	}
	b.WriteString(".fi\n")
	return b.String()
}

func options(command *cobra.Command) string {
	command.InitDefaultHelpFlag()
	var b strings.Builder
	command.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			b.WriteString(option(f))
		}
	})
	return b.String()
}

func option(f *pflag.Flag) string {
	text := "\\fB\\-\\-" + escaped(f.Name) + "\\fR"
	if f.Shorthand != "" {
		text = "\\fB\\-" + escaped(f.Shorthand) + "\\fR, " + text
	}
	kind, usage := pflag.UnquoteUsage(f)
	if kind != "" {
		text += " \\fI" + escaped(kind) + "\\fR"
	}
	switch f.DefValue {
	case "", "false", "[]", "0":
	default:
		usage += " (default " + f.DefValue + ")"
	}
	return ".TP\n" + text + "\n" + escaped(usage) + "\n"
}

// related are the pages of the command above and of those below.
func related(command *cobra.Command) string {
	var names []string
	if parent := command.Parent(); parent != nil {
		names = append(names, name(parent))
	}
	for _, sub := range command.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, name(sub))
		}
	}
	if len(names) == 0 {
		return ".BR kubectl (1)\n"
	}
	var b strings.Builder
	for i, n := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, ".BR %s (1)%s\n", escaped(n), comma)
	}
	return b.String()
}

// escaped is a line of text with what would be a request or an escape to roff written otherwise.
func escaped(line string) string {
	line = strings.NewReplacer(`\`, `\(rs`, "-", `\-`, "…", "...").Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
