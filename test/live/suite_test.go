// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// The cluster and the binary of all tests of this package. Each test has a namespace of its own; TestDisable, which takes the whole mesh
// apart, installs daprise again.
var (
	shared *cluster.Cluster
	binary string
	// before is what daprise check said before daprise was installed.
	before result
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	var err error
	if binary, err = cluster.Build(ctx, "daprise"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.Remove(binary) }()
	c, err := cluster.Start(ctx, cluster.Options{NoDaprise: true, ControlPlane: controlplane.Options{Log: os.Stderr}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	if err := surround(ctx); err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, c.Stop()))
		return 1
	}
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

// surround adds what a cluster has beside daprise, looks at it with daprise check, and installs daprise.
func surround(ctx context.Context) error {
	if err := shared.Apply(ctx, []byte(controlPlane)); err != nil {
		return err
	}
	accepted := `{"status": {"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}`
	if _, err := shared.Kubectl(ctx, "patch", "gatewayclass", "cilium", "--subresource=status", "--type=merge", "-p", accepted); err != nil {
		return err
	}
	if _, err := shared.Kubectl(ctx, "wait", "-n", "dapr-system", "--for=condition=Available", "--timeout=120s", "deployment/dapr-sentry", "deployment/dapr-operator"); err != nil {
		return err
	}
	var err error
	if before, err = command(ctx, "check", "-o", "json"); err != nil {
		return err
	}
	return shared.Install(ctx)
}

// controlPlane stands for Dapr's, and for Cilium's GatewayClass.
const controlPlane = `apiVersion: apps/v1
kind: Deployment
metadata: {name: dapr-sentry, namespace: dapr-system, labels: {app.kubernetes.io/version: 1.18.2}}
spec:
  selector: {matchLabels: {app: dapr-sentry}}
  template: {metadata: {labels: {app: dapr-sentry}}, spec: {containers: [{name: sentry, image: "ghcr.io/dapr/sentry:1.18.2"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dapr-operator, namespace: dapr-system, labels: {app.kubernetes.io/version: 1.18.2}}
spec:
  selector: {matchLabels: {app: dapr-operator}}
  template: {metadata: {labels: {app: dapr-operator}}, spec: {containers: [{name: operator, image: "ghcr.io/dapr/operator:1.18.2"}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: cilium}
spec: {controllerName: io.cilium/gateway-controller}
`

// result is what a command did.
type result struct {
	stdout, stderr string
	status         int
}

// command runs the CLI as the administrator. That it fails is no error but its exit status.
func command(ctx context.Context, args ...string) (result, error) {
	return commandIn(ctx, "", args...)
}

// commandIn is command with standard input.
func commandIn(ctx context.Context, stdin string, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return r, nil
	}
	return r, err
}

// environment has the administrator's kubeconfig, and reads nobody's home.
func environment() []string {
	return append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig(), "HOME="+shared.Dir(), "KUBERC=off", "NO_COLOR=1")
}

// daprise runs the CLI, which must end with a status, and returns its standard output.
func daprise(t *testing.T, status int, args ...string) string {
	t.Helper()
	r, err := command(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if r.status != status {
		t.Fatalf("daprise %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), r.status, status, r.stdout, r.stderr)
	}
	return r.stdout
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

// userKubeconfig is the kubeconfig of a user with no rights but those that a test gives.
func userKubeconfig(t *testing.T, name string) string {
	t.Helper()
	config, err := shared.UserConfig(name, "developers")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		t.Fatal(err)
	}
	return path
}

// Files of the example (examples/whoami).
const (
	gateway  = "01-gateway.yaml"
	app      = "02-app.yaml"
	split    = "03-split.yaml"
	policies = "04-policies.yaml"
	route    = "05-route.yaml"
)

// example is files of examples/whoami, for a namespace.
func example(t *testing.T, ns string, files ...string) string {
	t.Helper()
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(root, "examples", "whoami", file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.ReplaceAll(string(data), "namespace: default", "namespace: "+ns))
	}
	return strings.Join(all, "\n---\n")
}

// apply applies files of the example, which must be admitted, to a namespace.
func apply(t *testing.T, ns string, files ...string) {
	t.Helper()
	if _, err := shared.KubectlIn(t.Context(), []byte(example(t, ns, files...)), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// enrol annotates the Gateway and the app of the example.
func enrol(t *testing.T, ns string) {
	t.Helper()
	kubectl(t, "annotate", "-n", ns, "gateway/default-gateway", "service/whoami", "daprise.dev/enabled=true")
}

// mesh makes a namespace in which the whole example is in the mesh, and waits until it is.
func mesh(t *testing.T, ns string) {
	t.Helper()
	namespace(t, ns)
	apply(t, ns, gateway, app, split, policies)
	enrol(t, ns)
	apply(t, ns, route)
	cluster.Eventually(t, func() error {
		out := daprise(t, 0, "status", "-n", ns)
		if want := meshed(ns); out != want {
			return fmt.Errorf("status is\n%swant\n%s", out, want)
		}
		return nil
	})
}

// meshed is the status of the whole example.
func meshed(ns string) string {
	pad := func(text string) string { return fmt.Sprintf("%-*s", max(len(ns), len("NAMESPACE"))+3, text) }
	return pad("NAMESPACE") + "APP       OBJECT                    COMPANION   READY   COVERED   ROUTES   JOINING\n" +
		pad(ns) + "ingress   gateway/default-gateway   Ready       2/2     Covered   1        -\n" +
		pad(ns) + "whoami    service/whoami            Ready       2/2     Covered   1        -\n"
}
