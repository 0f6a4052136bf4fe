// SPDX-License-Identifier: Apache-2.0

// Command bench measures daprise and prints tables of ratios, each against a peer in the same run, in turns, so that a busy machine
// disturbs both alike:
//
//	go run ./hack/bench served    admission over TLS against controller-runtime's handler that allows everything
//	go run ./hack/bench cluster   creation of objects through kube-apiserver: with daprise, with webhooks that do nothing, with in-tree
//	                              policies, with nothing
//	go run ./hack/bench growth    one replica while the cluster grows: its start, memory and decisions
//
// docs/performance.md has the figures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

var errUsage = errors.New("usage: bench served|cluster|growth [flags]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	commands := map[string]func(context.Context, []string, io.Writer) error{
		"served": served, "cluster": throughCluster, "growth": growth, childCommand: child,
	}
	command, ok := commands[args[0]]
	if !ok {
		return errUsage
	}
	return command(ctx, args[1:], out)
}
