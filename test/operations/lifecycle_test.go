// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// install installs the chart, or upgrades it, with Pods that no node can take.
func install(t *testing.T, args ...string) {
	t.Helper()
	out, err := runHelm(t, append([]string{
		"upgrade", "--install", release, anyVersion(t), "--namespace", system, "--create-namespace", "--set-string", "nodeSelector.nowhere=true",
	}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// anyVersion is the chart without its kubeVersion: an API server that is built outside of its release says that it is v0.0.0-master.
func anyVersion(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "daprise")
	if err := os.CopyFS(dir, os.DirFS(chart())); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "Chart.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), "kubeVersion:", "#", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// helmInstalled installs the chart for one test.
func helmInstalled(t *testing.T) {
	t.Helper()
	install(t)
	t.Cleanup(func() {
		if out, err := helmIn(context.Background(), "uninstall", release, "--namespace", system, "--ignore-not-found"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func uninstall(t *testing.T) {
	t.Helper()
	if out, err := runHelm(t, "uninstall", release, "--namespace", system, "--wait", "--timeout", "60s"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestLifecycle: installed by Helm into an empty cluster, upgraded in place, uninstalled under a mesh that serves on, unmanaged, and
// installed again over it.
func TestLifecycle(t *testing.T) {
	const ns = "lifecycle"
	helmInstalled(t)
	r := startReplica(t)
	enrol(t, ns)
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))

	install(t, "--set", "config.defaults.coverage=warn", "--set", "replicas=3")
	if replicas := field(t, ".spec.replicas", "deployment", "-n", system, account); replicas != "3" {
		t.Errorf("%s replicas after the upgrade", replicas)
	}
	// The caBundle is the server's and not the chart's: the upgrade has left it, or the server has written it back.
	cluster.Eventually(t, func() error {
		if text, err := try(t, in(ns, route)); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		return nil
	})

	before := target(t, ns)
	uninstall(t)
	r.end(t, 0)
	if left := kubectl(t, "get", "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,clusterroles", "-o", "name"); strings.Contains(left, "daprise") {
		t.Errorf("uninstalling left:\n%s", left)
	}
	for _, kind := range []string{"deployment/whoami-dapr", "daemonset/ingress-dapr", "service/whoami-dapr", "service/ingress-dapr"} {
		if field(t, ".metadata.name", kind, "-n", ns) == "" {
			t.Errorf("%s is gone", kind)
		}
	}
	if after := target(t, ns); before != after {
		t.Errorf("the route went from %q to %q", before, after)
	}
	// Nothing is blocked: writes of what daprise would have judged, and of its own mark, are the API server's alone again.
	apply(t, in(ns, strings.ReplaceAll(route, "whoami-route", "other-route")))
	kubectl(t, "label", "-n", ns, "service/whoami", "some=label")
	kubectl(t, "delete", "-n", ns, "httproute/other-route", "ciliumnetworkpolicy/to-whoami")

	install(t)
	startReplica(t)
	apply(t, in(ns, policies), in(ns, route))
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
}

// refused applies documents that must be refused with a text that holds want.
func refused(t *testing.T, want string, documents ...string) {
	t.Helper()
	text, err := try(t, documents...)
	if failed := (*controlplane.KubectlError)(nil); !errors.As(err, &failed) || !strings.Contains(text, want) {
		t.Fatalf("want a refusal with %q, got %v\n%s", want, err, text)
	}
}
