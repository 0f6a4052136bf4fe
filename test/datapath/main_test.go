// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/daprise/daprise/test/datapath/kubelet"
	"github.com/daprise/daprise/test/datapath/world"
)

// shared is the world of all tests of this package; nil where none can be made.
var shared *world.World

func TestMain(m *testing.M) {
	// A container of the kubelet is this program, too: it must not go on from here.
	kubelet.Container()
	code, err := run(m)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "datapath:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run builds, then runs itself again in namespaces of its own, where it runs
// the tests.
func run(m *testing.M) (code int, err error) {
	if world.IsIsolated() {
		return runIsolated(m)
	}
	if os.Geteuid() != 0 {
		return m.Run(), nil // every test is skipped aloud
	}
	env, remove, err := world.Prepare(context.Background(), os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	code, err = world.Isolate(env)
	if errors.Is(err, world.ErrNotAllowed) && os.Getenv("CI") != "true" {
		return m.Run(), nil
	}
	return code, err
}

func runIsolated(m *testing.M) (code int, err error) {
	ctx := context.Background()
	began := time.Now()
	shared, err = world.Start(ctx, os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, shared.Stop()) }()
	defer func() {
		if code != 0 || err != nil {
			shared.Diagnose(os.Stderr)
		}
	}()
	if err := enrol(ctx); err != nil {
		return 1, err
	}
	_, _ = fmt.Fprintf(os.Stderr, "datapath: the example runs through companions after %.0f s\n", time.Since(began).Seconds())
	code = m.Run()
	_, _ = fmt.Fprintf(os.Stderr, "datapath: the gateway cut %d answers to requests with a body, which were sent again\n", cutByGateway.Load())
	return code, nil
}

// theWorld is the shared world; without one the test is skipped.
func theWorld(t *testing.T) *world.World {
	t.Helper()
	if shared == nil {
		t.Skip("SKIPPED: " + world.ErrNotAllowed.Error())
	}
	return shared
}
