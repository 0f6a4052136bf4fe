// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/cmd/daprise/internal/graph"
)

func drawing() *cobra.Command {
	in := &input{}
	output := "mermaid"
	formats := []string{"mermaid", "dot", "svg", "html"}
	command := &cobra.Command{
		Use:   "graph -f FILE | --live",
		Short: "Draw the mesh",
		Long: `Draws gateways, companions, apps, callers and traffic splits. A way between companions is covered (it passes, and its end is closed to
others), exposed (it passes, and others pass, too) or blocked. The HTML is one page that needs no network, with a search and, for each
box, what is found about it.`,
		Example: "  daprise graph -f deploy/ -o html > mesh.html",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if !slices.Contains(formats, output) {
				return fmt.Errorf("-o: %w: %q; it is mermaid, dot, svg or html", errFormat, output)
			}
			in.asked()
			w, files, err := in.open(command)
			if err != nil {
				return err
			}
			all, err := w.All(command.Context())
			if err != nil {
				return err
			}
			text, err := drawn(graph.Of(all, w.Splits()), output)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(command.OutOrStdout(), text); err != nil {
				return err
			}
			return tell(command, problems(files, w))
		},
	}
	in.bindFiles(command)
	in.bindLive(command)
	command.Flags().StringVarP(&output, "output", "o", output, "mermaid, dot, svg or html")
	return command
}

func drawn(g graph.Graph, format string) (string, error) {
	switch format {
	case "dot":
		return g.DOT(), nil
	case "svg":
		return g.SVG(), nil
	case "html":
		return g.HTML()
	default:
		return g.Mermaid(), nil
	}
}
