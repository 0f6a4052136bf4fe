// SPDX-License-Identifier: Apache-2.0

// Command daprise is the CLI, also as `kubectl daprise`: the webhook's answers for files, and what only a CLI can tell.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	collectLess()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// smallHeap is how much memory a command takes before it tries harder to save it.
const smallHeap = 240 << 20

// collectLess has garbage collected half as often while there is little of it: a command lives for seconds, and that is a third of its work.
// Where GOGC or GOMEMLIMIT are set they stand.
func collectLess() {
	if os.Getenv("GOGC")+os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(200)
		debug.SetMemoryLimit(smallHeap)
	}
}

// streams are those of a process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command line and gives its exit status.
func run(ctx context.Context, args []string, s streams) int {
	command := root()
	command.SetArgs(args)
	command.SetIn(s.in)
	command.SetOut(s.out)
	command.SetErr(s.err)
	err := command.ExecuteContext(ctx)
	status, silent := statusOf(err)
	if !silent {
		_, _ = fmt.Fprintln(s.err, "daprise:", err)
	}
	return status
}

func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "daprise",
		Short:         "Dapr without sidecars on Cilium: what admission would say, offline",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		command.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl daprise"}
	}
	command.AddCommand(
		analyze(), inject(), uninject(), trace(), exposure(), policies(), plan(), drawing(), explain(),
		showStatus(), checkCluster(), install(), disable(), printVersion(), manPages(),
	)
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
