// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// install installs a chart, or upgrades to it, with Pods that no node can take.
func (e engine) install(t *testing.T, chart string, args ...string) {
	t.Helper()
	out, err := e.run(t.Context(), append([]string{
		"upgrade", "--install", release, anyVersion(t, chart), "--namespace", system, "--create-namespace", "--set-string", "nodeSelector.nowhere=true",
	}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// anyVersion is a chart without its kubeVersion: an API server that is built outside of its release says that it is v0.0.0-master.
func anyVersion(t *testing.T, chart string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "daprise")
	if err := os.CopyFS(dir, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	if newest, err := parts.ChosenRelease(); err != nil || newest != parts.Newest {
		return dir
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

// installed installs a chart for one test.
func (e engine) installed(t *testing.T, chart string, args ...string) {
	t.Helper()
	e.install(t, chart, args...)
	t.Cleanup(func() {
		if out, err := e.run(context.Background(), "uninstall", release, "--namespace", system, "--ignore-not-found"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func (e engine) uninstall(t *testing.T) {
	t.Helper()
	if out, err := e.run(t.Context(), "uninstall", release, "--namespace", system, "--wait", "--timeout", "60s"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestLifecycle: installed by Helm into an empty cluster, upgraded in place, uninstalled under a mesh that serves on, unmanaged, and
// installed again over it.
func TestLifecycle(t *testing.T) {
	for _, e := range engines() {
		t.Run("Helm "+e.version, func(t *testing.T) { lifecycle(t, e) })
	}
}

func lifecycle(t *testing.T, e engine) {
	ns := "lifecycle-" + e.version
	e.installed(t, chart())
	r := startReplica(t)
	enrol(t, ns)
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))

	e.install(t, chart(), "--set", "config.defaults.coverage=warn", "--set", "replicas=3")
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

	companions := []string{"deployment/whoami-dapr", "daemonset/ingress-dapr", "service/whoami-dapr", "service/ingress-dapr"}
	cluster.Eventually(t, func() error {
		for _, object := range companions {
			if field(t, ".metadata.name", object, "-n", ns) == "" {
				return fmt.Errorf("no %s", object)
			}
		}
		return nil
	})
	before := target(t, ns)
	e.uninstall(t)
	r.end(t, 0)
	nothingLeft(t)
	for _, object := range companions {
		if field(t, ".metadata.name", object, "-n", ns) == "" {
			t.Errorf("%s is gone", object)
		}
	}
	if after := target(t, ns); before != after {
		t.Errorf("the route went from %q to %q", before, after)
	}
	// Nothing is blocked: writes of what daprise would have judged, and of its own mark, are the API server's alone again.
	apply(t, in(ns, strings.ReplaceAll(route, "whoami-route", "other-route")))
	kubectl(t, "label", "-n", ns, "service/whoami", "some=label")
	kubectl(t, "delete", "-n", ns, "httproute/other-route", "ciliumnetworkpolicy/to-whoami")

	e.install(t, chart())
	again := startReplica(t)
	apply(t, in(ns, policies), in(ns, route))
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
	disable(t)
	e.uninstall(t)
	again.end(t, 0)
	noTrace(t, ns)
}

// disable takes the mesh apart as people do.
func disable(t *testing.T) {
	t.Helper()
	program, err := cluster.Build(t.Context(), "daprise")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(program) }()
	if out, err := exec.CommandContext(t.Context(), program, "disable", "--yes", "--timeout", "2m", "--kubeconfig", shared.Kubeconfig()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// noTrace of a mesh is left in a namespace, nor of daprise anywhere.
func noTrace(t *testing.T, ns string) {
	t.Helper()
	nothingLeft(t)
	const kinds = "deployments,daemonsets,services,serviceaccounts,poddisruptionbudgets,configurations.dapr.io,ciliumnetworkpolicies,ciliumlocalredirectpolicies,referencegrants,gateways,httproutes"
	for _, label := range []string{"app.kubernetes.io/managed-by=daprise", "daprise.dev/app-id", "daprise.dev/companion"} {
		if left := kubectl(t, "get", kinds, "-n", ns, "-l", label, "-o", "name"); strings.TrimSpace(left) != "" && !strings.Contains(left, "No resources") {
			t.Errorf("left with label %s:\n%s", label, left)
		}
	}
	for _, object := range []string{"service/whoami", "gateway/default-gateway", "httproute/whoami-route"} {
		if annotations := field(t, ".metadata.annotations", object, "-n", ns); strings.Contains(strings.ReplaceAll(annotations, "last-applied-configuration", ""), `"daprise.dev/original"`) {
			t.Errorf("%s: %s", object, annotations)
		}
	}
	if backends := field(t, ".spec.rules[*].backendRefs[*].name", "httproute", "-n", ns, "whoami-route"); backends != "whoami" {
		t.Errorf("the route leads to %s", backends)
	}
}

// nothingLeft of daprise at the API server, but its namespace.
func nothingLeft(t *testing.T) {
	t.Helper()
	if left := kubectl(t, "get", "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,clusterroles", "-o", "name"); strings.Contains(left, "daprise") {
		t.Errorf("uninstalling left:\n%s", left)
	}
}

// TestChartUpgrade: the chart of an earlier commit is upgraded to today's and rolled back, with a route in place, by either Helm and from one
// to the next.
func TestChartUpgrade(t *testing.T) {
	source := formerSource(t)
	former := filepath.Join(source, "deploy", "helm", "daprise")
	for _, tt := range []struct{ by, then engine }{{helm3(), helm3()}, {helm4(), helm4()}, {helm3(), helm4()}} {
		t.Run("Helm "+tt.by.version+", then "+tt.then.version, func(t *testing.T) {
			ns := "chart-" + tt.by.version + "-" + tt.then.version
			tt.by.installed(t, former)
			old := startFormer(t, source)
			enrol(t, ns)
			stored := target(t, ns)
			serves := func(when string) {
				t.Helper()
				refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
				apply(t, in(ns, gateway), in(ns, service), in(ns, policies), in(ns, route), strings.ReplaceAll(in(ns, route), "whoami-route", when))
				for _, name := range []string{"whoami-route", when} {
					if have := field(t, ".spec.rules[*].filters[*].urlRewrite.path", "httproute", "-n", ns, name); have != stored {
						t.Errorf("%s: route %s leads to %s, want %s", when, name, have, stored)
					}
				}
			}
			tt.then.install(t, chart())
			upgraded := startReplica(t)
			old.end(t, lameDuck*3)
			serves("upgraded")
			if out, err := tt.then.run(t.Context(), "rollback", release, "1", "--namespace", system); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			startFormer(t, source)
			upgraded.end(t, lameDuck*3)
			serves("rolled-back")
		})
	}
}
