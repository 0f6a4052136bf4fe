// SPDX-License-Identifier: Apache-2.0

// Command daprise is the CLI, also as `kubectl daprise`. It reads no cluster.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// exitUsage is the exit status for a command line that cannot be understood (contract: "CLI shapes").
const exitUsage = 2

func main() {
	if err := root().Execute(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "daprise:", err)
		os.Exit(exitUsage)
	}
}

func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "daprise",
		Short:         "Dapr without sidecars on Cilium: what its refusals mean",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(explain(), printVersion())
	return command
}

// version is set by the Makefile.
var version = "unknown" //nolint:gochecknoglobals // the linker can set nothing else

func printVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(command.OutOrStdout(), version)
			return err
		},
	}
}
