// SPDX-License-Identifier: Apache-2.0

// Command e2e builds the programs that `make e2e` runs, telling how far it is: inside `go test` nobody would see that for the half hour that it
// takes the first time. It ends at once when they exist.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/test/datapath/build"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stderr)
	cancel()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log io.Writer) error {
	root, err := parts.Root()
	if err != nil {
		return err
	}
	if _, err := parts.Build(ctx, root, log); err != nil {
		return err
	}
	if _, err := parts.FindModules(ctx, root, log); err != nil {
		return err
	}
	if _, err := build.Programs(ctx, root, log, build.Others()...); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(log, "e2e: building daprise-webhook, its apps and Cilium's policy engine")
	dir, err := os.MkdirTemp("", "daprise-e2e-")
	if err != nil {
		return err
	}
	// What is built is thrown away: the tests link it anew from Go's build cache.
	_, err = build.Own(ctx, root, dir)
	return errors.Join(err, os.RemoveAll(dir))
}
