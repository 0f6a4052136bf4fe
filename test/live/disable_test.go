// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/test/cluster"
)

func runKubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), shared.KubectlPath(), args...).CombinedOutput()
	return string(out), err
}

// TestDisable takes a mesh of three namespaces apart, one of them strict: routes are their authors' again, nothing of a companion is left,
// and nothing calls daprise.
func TestDisable(t *testing.T) {
	meshes := []string{"first", "second", "third"}
	specs := map[string]string{}
	for _, ns := range meshes {
		mesh(t, ns)
	}
	kubectl(t, "label", "namespace", "third", "daprise.dev/coverage=strict")
	for _, ns := range meshes {
		specs[ns] = spec(t, ns, "service/whoami")
	}

	said := daprise(t, 0, "disable")
	for _, want := range []string{
		"label      Namespace third: daprise.dev/coverage=enforce instead of strict\n", "un-enrol   Service first/whoami\n",
		"un-enrol   Gateway third/default-gateway\n", "Nothing is done without --yes.\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	if strings.Contains(said, "Namespace first") {
		t.Errorf("a namespace that lets leave is relabelled:\n%s", said)
	}
	for _, ns := range meshes {
		if out := daprise(t, 0, "status", "-n", ns); ns != "third" && out != meshed(ns) {
			t.Errorf("without --yes the mesh is\n%s", out)
		}
	}

	t.Cleanup(func() {
		if err := shared.KillServer(); err != nil {
			t.Error(err)
		}
		if err := shared.Install(context.Background()); err != nil {
			t.Error(err)
		}
	})
	disableWithAPodThatStays(t, "first")
	r, err := command(t.Context(), "disable", "--yes", "--timeout", "4m")
	if err != nil || r.status != 0 || !strings.HasSuffix(r.stderr, "the webhook configurations are deleted\n") {
		t.Fatalf("%v, exit status %d\n%s%s", err, r.status, r.stdout, r.stderr)
	}
	for _, ns := range meshes {
		if made := owned(t, ns); len(made) > 0 {
			t.Errorf("left in %s: %q", ns, made)
		}
		if diff := cmp.Diff(specs[ns], spec(t, ns, "service/whoami")); diff != "" {
			t.Errorf("Service %s/whoami (-before +after):\n%s", ns, diff)
		}
		stored := kubectl(t, "get", "-n", ns, "httproute/whoami-route", "-o", "yaml")
		if strings.Contains(stored, "/v1.0/invoke") || strings.Contains(stored, "daprise.dev/original") || !strings.Contains(stored, "name: whoami\n") {
			t.Errorf("the route of %s is\n%s", ns, stored)
		}
	}
	if out := daprise(t, 0, "status"); out != "Nothing is enrolled.\n" {
		t.Errorf("status after all:\n%s", out)
	}
	if left := kubectl(t, "get", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "-o", "name"); strings.Contains(left, "daprise") {
		t.Errorf("left:\n%s", left)
	}
	// Writes that only daprise refused are the API server's alone again.
	kubectl(t, "annotate", "-n", "first", "service/whoami", "daprise.dev/enable=x")
	kubectl(t, "annotate", "-n", "first", "service/whoami", "daprise.dev/enable-")
	// Called again it has nothing to do.
	daprise(t, 0, "disable", "--yes")
}

// disableWithAPodThatStays calls disable while one companion cannot go: everything else leaves, the hooks stay, and what is still there is
// told. Then it lets the pod go.
func disableWithAPodThatStays(t *testing.T, ns string) {
	t.Helper()
	kubectl(t, "label", "namespace", ns, "daprise.dev/policies=generate")
	cluster.Eventually(t, func() error {
		if made := owned(t, ns); !slices.Contains(made, "CiliumNetworkPolicy "+ns+"/whoami-dapr") {
			return fmt.Errorf("no policy among %q", made)
		}
		return nil
	})
	pod := strings.Fields(kubectl(t, "get", "pods", "-n", ns, "-l", "daprise.dev/companion=whoami", "-o", "name"))[0]
	kubectl(t, "patch", "-n", ns, pod, "--type=merge", "-p", `{"metadata": {"finalizers": ["example.com/stay"]}}`)
	r, err := command(t.Context(), "disable", "--yes", "--timeout", "10s")
	if err != nil || r.status != 1 {
		t.Errorf("%v, exit status %d", err, r.status)
	}
	for _, want := range []string{
		"namespace third: daprise.dev/coverage=enforce, since strict lets nobody leave\n", "Service first/whoami leaves\n", "Gateway third/default-gateway leaves\n",
		"waiting: CiliumNetworkPolicy " + ns + "/whoami-dapr", "not all of the mesh is gone in time: CiliumNetworkPolicy " + ns + "/whoami-dapr",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is missing in\n%s", want, r.stderr)
		}
	}
	if left := kubectl(t, "get", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "-o", "name"); strings.Count(left, "daprise") != 2 {
		t.Errorf("the hooks are %s", left)
	}
	kubectl(t, "patch", "-n", ns, pod, "--type=merge", "-p", `{"metadata": {"finalizers": null}}`)
}

// TestDisableWaits: where daprise does not run, nothing is taken away that keeps the mesh in order.
func TestDisableWaits(t *testing.T) {
	const ns = "stuck"
	mesh(t, ns)
	if err := shared.KillServer(); err != nil {
		t.Fatal(err)
	}
	r, err := command(t.Context(), "disable", "--yes", "--timeout", "5s")
	if err != nil || r.status != 1 || !strings.Contains(r.stderr, "call daprise disable again") {
		t.Errorf("%v, exit status %d\n%s", err, r.status, r.stderr)
	}
	if err := shared.StartServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		if out := daprise(t, 0, "status", "-n", ns); out != meshed(ns) {
			return fmt.Errorf("status is\n%s", out)
		}
		return nil
	})
}
