// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

const (
	// readyLimit is for a loaded machine: a server is ready within a few seconds.
	readyLimit = 2 * time.Minute
	stopLimit  = 40 * time.Second
	poll       = 50 * time.Millisecond
)

// server is the daprise-webhook process and its ports.
type server struct {
	port    int // of /mutate and /validate, the same over restarts
	health  int
	metrics int
	config  string
	program *controlplane.Program
}

const serverName = "daprise-webhook"

// StartServer starts daprise-webhook and waits until /readyz says yes.
func (c *Cluster) StartServer(ctx context.Context) error {
	if err := c.LaunchServer(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := c.WaitServer(ctx); err != nil {
		return errors.Join(err, c.KillServer())
	}
	return nil
}

// LaunchServer starts daprise-webhook and does not wait.
func (c *Cluster) LaunchServer(ctx context.Context) error {
	kubeconfig, err := c.credentials(ctx)
	if err != nil {
		return err
	}
	config := filepath.Join(c.Dir(), "daprise.config.yaml")
	if err := os.WriteFile(config, []byte(c.server.config), 0o600); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	if c.server.health, err = freePort(); err != nil {
		return err
	}
	if c.server.metrics, err = freePort(); err != nil {
		return err
	}
	args := append([]string{"--kubeconfig=" + kubeconfig, "--config=" + config}, append(c.server.flags(), c.options.ServerFlags...)...)
	binary := c.binary
	if environment := c.options.ServerEnvironment; len(environment) > 0 {
		args = append(append(slices.Clone(environment), binary), args...)
		binary = "env"
	}
	c.server.program, err = c.StartProgram(serverName, binary, args...)
	return err
}

// WaitServer waits until /readyz says yes.
func (c *Cluster) WaitServer(ctx context.Context) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", c.server.health)
	for {
		said, err := probe(ctx, url)
		if err == nil && said == "" {
			return nil
		}
		if err := c.server.program.Running(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("daprise-webhook is not ready (%w): %s", ctx.Err(), said)
		case <-time.After(poll):
		}
	}
}

// probe returns what /readyz says against being ready, or nothing.
func probe(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusOK {
		return "", err
	}
	return string(body), nil
}

// StopServer ends daprise-webhook gracefully and waits until it is gone. Without one running it does nothing.
func (c *Cluster) StopServer() error { return c.endServer(stopLimit) }

// KillServer ends daprise-webhook at once.
func (c *Cluster) KillServer() error { return c.endServer(0) }

func (c *Cluster) endServer(patience time.Duration) error {
	if c.server == nil || c.server.program == nil {
		return nil
	}
	program := c.server.program
	c.server.program = nil
	return program.Stop(patience)
}

// ServerLog is the path of daprise-webhook's log.
func (c *Cluster) ServerLog() string { return c.LogPath(serverName) }

// ServerLogEnd is the last of daprise-webhook's log, for tests that failed.
func (c *Cluster) ServerLogEnd() string {
	const most = 6000
	log, err := os.ReadFile(c.ServerLog())
	if err != nil {
		return err.Error()
	}
	return "the end of daprise-webhook's log:\n" + string(log[max(0, len(log)-most):])
}

// StopAfter stops the cluster after a test, with the end of the server's log if the test failed.
func (c *Cluster) StopAfter(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.ServerLogEnd())
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// ServerURL is where /mutate and /validate are served.
func (c *Cluster) ServerURL() string { return fmt.Sprintf("https://localhost:%d", c.server.port) }

// MetricsURL is where /metrics is served.
func (c *Cluster) MetricsURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d/metrics", c.server.metrics)
}

func (s *server) flags() []string {
	return []string{
		"--bind-address=127.0.0.1",
		"--webhook-port=" + strconv.Itoa(s.port), "--linger=0s",
		"--health-port=" + strconv.Itoa(s.health),
		"--metrics-port=" + strconv.Itoa(s.metrics),
		"--tls-names=localhost",
		"--namespace=" + systemNamespace,
	}
}

// Build builds a program of cmd/ into the ignored cache, for this process alone, with the flags of `make test` so that what the tests have
// compiled is used again. It returns the path.
func Build(ctx context.Context, program string) (string, error) {
	root, err := parts.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".cache", "bin", program+"-"+strconv.Itoa(os.Getpid()))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/"+program)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return path, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: %s is no TCP address", listener.Addr())
	}
	return address.Port, nil
}
