// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/check"
	"github.com/daprise/daprise/cmd/daprise/internal/live"
)

var errUnread = errors.New("some of the cluster could not be read")

// checking is the command line of daprise check.
type checking struct {
	access    live.Access
	namespace string
	output    string
	threshold string
	now       func() time.Time
}

func checkCluster() *cobra.Command {
	c := &checking{now: time.Now}
	command := &cobra.Command{
		Use:   "check",
		Short: "Look whether a cluster is fit for daprise, and whether daprise enforces there",
		Long: `Looks at what daprise needs (Kubernetes, Cilium and its settings, Gateway API, Dapr), at its installation (pods, webhook configurations, policies,
certificates), whether what has to be refused really is, and at what the official dapr-shared chart leaves behind. Each line that is not well has a hint. Use it
before installing daprise and after. Nothing is written: the writes that have to be refused are dry runs, in the namespace of -n.

The exit status is 0 if nothing fails, 1 if something does, and 2 if some of the cluster could not be read.`,
		Example: "  daprise check\n  daprise check -n shop -o json",
		Args:    cobra.NoArgs,
		RunE:    c.run,
	}
	flags := command.Flags()
	flags.StringVarP(&c.namespace, "namespace", "n", "", "namespace for the dry runs; by default that of the context")
	flags.StringVarP(&c.output, "output", "o", "table", "table, json or yaml")
	flags.StringVar(&c.threshold, "threshold", string(check.Fail), "least state that makes the exit status 1: fail or warn")
	c.access.Bind(flags)
	return command
}

func (c *checking) run(command *cobra.Command, _ []string) error {
	if !slices.Contains([]string{"table", "json", "yaml"}, c.output) {
		return fmt.Errorf("-o: %w: %q; it is table, json or yaml", errFormat, c.output)
	}
	threshold := check.State(c.threshold)
	if threshold != check.Fail && threshold != check.Warn {
		return fmt.Errorf("--threshold: %w: %q; it is fail or warn", errThreshold, c.threshold)
	}
	connection, err := c.access.Config()
	if err != nil {
		return err
	}
	namespace := c.namespace
	if namespace == "" {
		if namespace, err = c.access.Namespace(); err != nil {
			return err
		}
	}
	// Warnings of admission are what is looked for, not what is told.
	connection.WarningHandler = rest.NoWarnings{}
	cluster, err := check.Connect(command.Context(), connection, namespace, c.now())
	if err != nil {
		return err
	}
	lines := check.Run(command.Context(), cluster)
	if err := c.write(command.OutOrStdout(), lines); err != nil {
		return err
	}
	switch worst := check.Worst(lines); {
	case worst == check.Unread:
		return &exit{status: exitUsage, err: errUnread}
	case worst == check.Fail, worst == check.Warn && threshold == check.Warn:
		return &exit{status: exitFindings, err: errFound}
	}
	return nil
}

func (c *checking) write(out io.Writer, lines []check.Line) error {
	if c.output == "table" {
		return check.Write(out, lines, painter(out))
	}
	data, err := json.MarshalIndent(lines, "", "  ")
	if err != nil {
		return err
	}
	if c.output == "yaml" {
		if data, err = yaml.JSONToYAML(data); err != nil {
			return err
		}
	} else {
		data = append(data, '\n')
	}
	_, err = out.Write(data)
	return err
}
