// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/cmd/daprise/internal/leave"
	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
)

// disabling is the command line of daprise disable.
type disabling struct {
	access  live.Access
	yes     bool
	timeout time.Duration
}

func disable() *cobra.Command {
	d := &disabling{}
	command := &cobra.Command{
		Use:   "disable",
		Short: "Take the whole mesh apart and have nothing call daprise any more",
		Long: `Removes the annotation daprise.dev/enabled from everything that is enrolled, waits until daprise has given all routes back and the last companion
is gone, and then deletes daprise's webhook configurations. Each leaves as it would alone, routes first and companions after them. Where a namespace is in mode
strict, which lets nobody leave, it is labelled daprise.dev/coverage=enforce first.

Without --yes it only says what it would do. Annotations that a GitOps tool keeps in place have to be removed there. It may be called again when it was
interrupted. daprise itself has to run: it is what gives the routes back.`,
		Example: "  daprise disable\n  daprise disable --yes && kubectl delete -k deploy/base",
		Args:    cobra.NoArgs,
		RunE:    d.run,
	}
	flags := command.Flags()
	flags.BoolVar(&d.yes, "yes", false, "do it")
	flags.DurationVar(&d.timeout, "timeout", 10*time.Minute, "how long to wait for routes and companions")
	d.access.Bind(flags)
	return command
}

func (d *disabling) run(command *cobra.Command, _ []string) error {
	c, err := d.access.Client()
	if err != nil {
		return err
	}
	config, err := live.MeshConfig(command.Context(), c)
	if err != nil {
		return err
	}
	m := &leave.Mesh{Client: c, Config: config, Poll: time.Second, Tell: func(format string, values ...any) { command.PrintErrf(format+"\n", values...) }}
	p, err := m.Plan(command.Context())
	if err != nil {
		return err
	}
	if !d.yes {
		return propose(command, p)
	}
	ctx, cancel := context.WithTimeout(command.Context(), d.timeout)
	defer cancel()
	if err := m.Leave(ctx, p); err != nil {
		command.PrintErrln("daprise:", err)
		command.PrintErrf("Nothing is broken by that: call daprise disable again. See that daprise runs: daprise check, kubectl logs -n %s deployment/%s.\n", mesh.SystemNamespace, mesh.WebhookService)
		return &exit{status: exitFindings, err: err}
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), "The mesh is gone, and nothing calls daprise. Delete its manifests with what installed them: helm uninstall, or kubectl delete -k.")
	return err
}

// propose says what would be done.
func propose(command *cobra.Command, p leave.Plan) error {
	out := command.OutOrStdout()
	for _, namespace := range p.Strict {
		if _, err := fmt.Fprintf(out, "label      Namespace %s: %s=%s instead of %s\n", namespace, mesh.LabelCoverage, mesh.ModeEnforce, mesh.ModeStrict); err != nil {
			return err
		}
	}
	for _, e := range p.Enrolled {
		if _, err := fmt.Fprintf(out, "un-enrol   %s\n", e.Object); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "wait       until routes are given back and companions are gone\ndelete     webhook configurations\nNothing is done without --yes.")
	return err
}
