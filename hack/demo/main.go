// SPDX-License-Identifier: Apache-2.0

// Command demo plays the project's example on a real control plane: kube-apiserver, etcd, controller manager, scheduler, kwok as
// nodes, and daprise installed from deploy/base. It checks every step, exits non-zero if one is not as it should be, and leaves
// no process behind.
//
//	go run ./hack/demo          # or: make demo
//	go run ./hack/demo -keep    # or: make demo KEEP=1
//	go run ./hack/demo -stop    # ends what -keep left running
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/test/scenario"
)

func main() {
	keep := flag.Bool("keep", false, "leave the control plane and daprise running at the end")
	stop := flag.Bool("stop", false, "end what an earlier -keep left running")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, options{keep: *keep, stop: *stop})
	cancel()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type options struct{ keep, stop bool }

func run(ctx context.Context, o options) (err error) {
	root, err := parts.Root()
	if err != nil {
		return err
	}
	kept := filepath.Join(parts.CacheDir(root), "demo")
	if o.stop {
		return controlplane.StopDir(kept)
	}
	teller := newTeller(os.Stdout)
	began := time.Now()
	teller.Say("Starting a real control plane and daprise. The first time, its programs are built: about ten minutes, with progress below.")
	cpOptions := controlplane.Options{Log: os.Stderr, Slots: controlplane.Unlimited}
	if o.keep {
		if err := controlplane.StopDir(kept); err != nil {
			return err
		}
		if err := os.RemoveAll(kept); err != nil {
			return fmt.Errorf("clear the last demo: %w", err)
		}
		cpOptions.Dir, cpOptions.Lifetime = kept, controlplane.Detached
	}
	c, err := cluster.Start(ctx, cluster.Options{ControlPlane: cpOptions})
	if err != nil {
		return err
	}
	defer func() {
		if o.keep {
			tellKept(os.Stdout, c)
			return
		}
		err = errors.Join(err, c.Stop())
	}()
	if err := play(ctx, c, teller, root); err != nil {
		return fmt.Errorf("%w\n(the end of daprise-webhook's log)\n%s", err, tail(c.ServerLog()))
	}
	teller.Say(fmt.Sprintf("Every step was as it should be. %.0f seconds.", time.Since(began).Seconds()))
	return nil
}

func play(ctx context.Context, c *cluster.Cluster, teller *teller, root string) error {
	player := &scenario.Player{Cluster: c, Narrator: teller, Examples: filepath.Join(root, "examples", "whoami")}
	for i, step := range scenario.Steps() {
		teller.Title(i+1, step.Name)
		began := time.Now()
		if err := step.Play(ctx, player); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.Name, err)
		}
		teller.Done(time.Since(began))
	}
	return nil
}

func tellKept(out io.Writer, c *cluster.Cluster) {
	_, _ = fmt.Fprintf(out, `
The control plane and daprise are still running. To look around:

    export KUBECONFIG=%s
    %s get gateways,httproutes,services

To end them:

    go run ./hack/demo -stop
`, c.Kubeconfig(), c.KubectlPath())
}

func tail(path string) string {
	const most = 6000
	log, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-most):])
}
