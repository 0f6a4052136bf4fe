// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// The cluster and programs of all tests of this package. Tests that change daprise itself leave it as they found it.
var (
	shared *cluster.Cluster
	root   string
	server string
	caller *apiCaller
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if root, err = parts.Root(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if server, err = cluster.Build(context.Background(), account); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.Remove(server) }()
	if caller, err = newCaller(filepath.Join(root, ".cache", fmt.Sprintf("operations-%d", os.Getpid()))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer caller.remove()
	c, err := cluster.Start(context.Background(), cluster.Options{NoDaprise: true, ControlPlane: controlplane.Options{
		APIServerFlags: []string{"--enable-aggregator-routing=true", "--admission-control-config-file=" + caller.admission},
		AuditPolicy:    []byte(auditPolicy), Log: os.Stderr,
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	code := m.Run()
	if err := c.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// auditPolicy records what daprise itself does, reads too, and everybody's writes.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:daprise-system:daprise-webhook"]
- level: None
  verbs: [get, list, watch]
- level: Metadata
`

// kubectl runs a command that must succeed, and returns both outputs.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out.Stdout + out.Stderr
}

// apply applies documents that must be admitted.
func apply(t *testing.T, documents ...string) {
	t.Helper()
	if text, err := try(t, documents...); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// try applies documents and returns what kubectl printed and whether it failed.
func try(t *testing.T, documents ...string) (string, error) {
	t.Helper()
	out, err := shared.KubectlIn(t.Context(), []byte(strings.Join(documents, "\n---\n")), "apply", "-f", "-")
	return out.Stdout + out.Stderr, err
}

// field reads one field of an object with a JSON path; an absent object is empty.
func field(t *testing.T, path string, object ...string) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, append([]string{"get", "--ignore-not-found", "-o", "jsonpath={" + path + "}"}, object...)...))
}

// refused applies documents that must be refused with a text that holds want.
func refused(t *testing.T, want string, documents ...string) {
	t.Helper()
	text, err := try(t, documents...)
	if failed := (*controlplane.KubectlError)(nil); !errors.As(err, &failed) || !strings.Contains(text, want) {
		t.Fatalf("want a refusal with %q, got %v\n%s", want, err, text)
	}
}
