// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// flux is the path of Flux's engine, built once.
var flux = sync.OnceValues(func() (string, error) {
	programs, err := parts.BuildExtra(context.Background(), root, []parts.Extra{{
		Module: "hack/flux", Files: []string{"main.go"}, Package: ".", Name: "flux",
	}}, os.Stderr)
	return programs["flux"], err
})

// byFlux has Flux apply manifests, or tell what applying them would change: a line for each object.
func byFlux(t *testing.T, what string, manifests ...string) (string, error) {
	t.Helper()
	program, err := flux()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, what)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig())
	cmd.Stdin = strings.NewReader(strings.Join(manifests, "\n---\n"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestFluxSeesNoDrift: what Flux applied, the mesh's own objects and daprise itself, it finds unchanged afterwards, though daprise has rewritten a
// route, labelled a Service and written a caBundle.
func TestFluxSeesNoDrift(t *testing.T) {
	const ns = "flux"
	own := manifestOf(t, kustomized(t, "base"))
	t.Cleanup(func() {
		if _, err := shared.KubectlIn(context.Background(), []byte(own), "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	if out, err := byFlux(t, "apply", own); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	startReplica(t)
	kubectl(t, "create", "namespace", ns)
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "namespace", ns, "--wait=false", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	apps := []string{in(ns, policies), in(ns, gateway), in(ns, service), in(ns, route)}
	// A route that comes before its policies is refused, and admitted with the next reconciliation.
	cluster.Eventually(t, func() error {
		if out, err := byFlux(t, "apply", apps...); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		if have := target(t, ns); !strings.Contains(have, rewritten) {
			return fmt.Errorf("the route is not rewritten: %q", have)
		}
		return nil
	})
	for _, what := range []string{"apply", "diff"} {
		cluster.Eventually(t, func() error {
			out, err := byFlux(t, what, append(apps, own)...)
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			if changed := strings.ReplaceAll(out, "unchanged ", ""); strings.Contains(changed, "configured ") || strings.Contains(changed, "created ") {
				return fmt.Errorf("flux %s:\n%s", what, out)
			}
			return nil
		})
	}
	// And it does see what somebody else has changed.
	kubectl(t, "patch", "-n", ns, "service/whoami", "-p", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	if out, err := byFlux(t, "diff", strings.Replace(in(ns, service), "spec: {", "spec: {sessionAffinity: None, ", 1)); err != nil || !strings.Contains(out, "configured Service/"+ns+"/whoami") {
		t.Errorf("%v\n%s", err, out)
	}
}
