// SPDX-License-Identifier: Apache-2.0

// Command daprise-webhook is the server: admission on every replica, controllers on the leader.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:], os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "daprise-webhook:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	if s.version {
		_, err := fmt.Fprintln(out, version)
		return err
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: s.logLevel}))
	log.Info("starting", "version", version)
	return run(ctx, s, log)
}

// version is set by the Makefile.
var version = "unknown" //nolint:gochecknoglobals // the linker can set nothing else
