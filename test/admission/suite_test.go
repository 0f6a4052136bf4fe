// SPDX-License-Identifier: Apache-2.0

// Package admission_test holds daprise against a real API server: what it admits, refuses and stores, whatever the order, the
// client or the fault.
package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// shared is the cluster of all tests of this package; each test has a namespace of its own.
var shared *cluster.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	c, err := cluster.Start(context.Background(), cluster.Options{ControlPlane: controlplane.Options{
		AuditPolicy: controlplane.AuditEverything(), Log: os.Stderr,
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, c.ServerLogEnd())
	}
	if err := c.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// namespace makes a namespace with labels ("key=value") and deletes it after the test.
func namespace(t *testing.T, name string, labels ...string) {
	t.Helper()
	kubectl(t, "create", "namespace", name)
	for _, label := range labels {
		kubectl(t, "label", "namespace", name, label)
	}
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "namespace", name, "--wait=false", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
}

// kubectl runs a command that must succeed, and returns both outputs.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out.Stdout + out.Stderr
}

// apply applies documents that must be admitted, and returns what kubectl printed.
func apply(t *testing.T, documents ...string) string {
	t.Helper()
	text, err := try(t, documents...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// try applies documents and returns what kubectl printed and whether it failed.
func try(t *testing.T, documents ...string) (string, error) {
	t.Helper()
	out, err := shared.KubectlIn(t.Context(), []byte(strings.Join(documents, "\n---\n")), "apply", "-f", "-")
	return out.Stdout + out.Stderr, err
}

// refused applies documents that must be refused with a text that holds all of wants, and returns the text.
func refused(t *testing.T, wants []string, documents ...string) string {
	t.Helper()
	text, err := try(t, documents...)
	if failed := (*controlplane.KubectlError)(nil); !errors.As(err, &failed) {
		t.Fatalf("not refused: %v\n%s", err, text)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Fatalf("%q is missing in:\n%s", want, text)
		}
	}
	return text
}

// object reads one object, nil if it does not exist.
func object(t *testing.T, ns, kind, name string) *unstructured.Unstructured {
	t.Helper()
	out := kubectl(t, "get", "-n", ns, kind, name, "-o", "json", "--ignore-not-found")
	if strings.TrimSpace(out) == "" {
		return nil
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(out)); err != nil {
		t.Fatal(err)
	}
	return u
}

func exists(t *testing.T, ns, kind, name string) bool {
	t.Helper()
	return object(t, ns, kind, name) != nil
}

// hasCondition checks a condition of an object.
func hasCondition(t *testing.T, u *unstructured.Unstructured, want string) error {
	t.Helper()
	if u == nil {
		return errors.New("the object does not exist")
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return err
	}
	var have []string
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		one := fmt.Sprintf("%v=%v %v", m["type"], m["status"], m["reason"])
		if one == want {
			return nil
		}
		have = append(have, one)
	}
	return fmt.Errorf("%s %s has no condition %q but %q", u.GetKind(), u.GetName(), want, have)
}

// ready waits until the companions of app whoami and Gateway default-gateway of a namespace are ready.
func ready(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Companion=True Ready") })
	cluster.Eventually(t, func() error {
		return hasCondition(t, object(t, ns, "gateway", "default-gateway"), "Companion=True Ready")
	})
}

// rules is the stored spec.rules of a route as JSON.
func rules(t *testing.T, ns, name string) string {
	t.Helper()
	u := object(t, ns, "httproute", name)
	if u == nil {
		t.Fatalf("HTTPRoute %s/%s does not exist", ns, name)
	}
	list, _, err := unstructured.NestedSlice(u.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const rewritten = "/v1.0/invoke/whoami."
