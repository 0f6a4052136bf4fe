// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/daprise/daprise/webhook"
)

// childCommand makes this program one of the servers that are measured: a process of its own with one core.
const childCommand = "serve"

const (
	// serverOurs decides in one World, as it does about routes that are written one after the other. serverAnew remembers nothing of the decision
	// before.
	serverOurs  = "ours"
	serverAnew  = "ours, anew"
	serverAllow = "allow"
)

// child serves until its standard input is closed. It prints its URL, and its certificate in base64.
func child(_ context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	ctrllog.SetLogger(logr.Discard())
	handler, err := handlerOf(args[0])
	if err != nil {
		return err
	}
	server := serve(handler)
	defer server.Close()
	if _, err := fmt.Fprintln(out, server.URL, base64.StdEncoding.EncodeToString(server.Certificate().Raw)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func handlerOf(name string) (http.Handler, error) {
	if name == serverAllow {
		return &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
			return admission.Allowed("")
		})}, nil
	}
	world, err := example()
	if err != nil {
		return nil, err
	}
	if name == serverAnew {
		world.Answers = nil
	}
	edge, err := webhook.New(webhook.Options{
		Worlds: static{world}, Config: world.View.Config, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		return nil, fmt.Errorf("set up admission: %w", err)
	}
	return edge.Handler(), nil
}

// serve serves over TLS 1.3 and HTTP/1.1, as daprise-webhook does.
func serve(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	return server
}

// process is a server in a process of its own.
type process struct {
	url         string
	certificate []byte
	input       io.Closer
	cmd         *exec.Cmd
}

// startChild starts a server with more variables of environment, such as GOMAXPROCS=1.
func startChild(ctx context.Context, name string, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, childCommand, name)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server %s: %w", name, err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the server %s: %w", name, err), cmd.Wait())
	}
	url, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
	certificate, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the server %s: %w", name, err), cmd.Wait())
	}
	return &process{url: url, certificate: certificate, input: input, cmd: cmd}, nil
}

func (p *process) stop() error { return errors.Join(p.input.Close(), p.cmd.Wait()) }
