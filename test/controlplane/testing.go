// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
)

// For starts a control plane for one test and stops it with the test. When the
// test fails, the ends of the programs' logs are among its output.
func For(t testing.TB, options Options) *ControlPlane {
	t.Helper()
	if options.Log == nil {
		options.Log = os.Stderr
	}
	cp, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			cp.logTails(t.Output())
		}
		if err := cp.Stop(); err != nil {
			t.Errorf("stop the control plane: %v", err)
		}
	})
	return cp
}

// Main is TestMain for a package whose tests share a control plane: it starts
// one, hands it to use, runs the tests, stops it, and returns the exit code.
//
//	var shared *controlplane.ControlPlane
//
//	func TestMain(m *testing.M) {
//		os.Exit(controlplane.Main(m, controlplane.Options{}, func(cp *controlplane.ControlPlane) { shared = cp }))
//	}
func Main(m *testing.M, options Options, use func(*ControlPlane)) int {
	flag.Parse()
	if list := flag.Lookup("test.list"); list != nil && list.Value.String() != "" {
		return m.Run()
	}
	if options.Log == nil {
		options.Log = os.Stderr
	}
	cp, err := Start(context.Background(), options)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(cp)
	code := m.Run()
	if code != 0 {
		cp.logTails(os.Stderr)
	}
	if err := cp.Stop(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		return 1
	}
	return code
}

// logTails writes the ends of all logs: the folder is gone when somebody reads
// the failure.
func (cp *ControlPlane) logTails(to io.Writer) {
	for _, program := range []string{etcd, apiServer, controllerManager, scheduler, kwok} {
		_, _ = fmt.Fprintf(to, "--- end of %s.log:\n%s\n", program, tail(cp.LogPath(program), 10))
	}
}
