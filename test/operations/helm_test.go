// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/test/controlplane/parts"
)

const release = "daprise"

// engine is one version of Helm.
type engine struct{ version, pkg string }

func helm3() engine { return engine{"3", "helm.sh/helm/v3/cmd/helm"} }
func helm4() engine { return engine{"4", "helm.sh/helm/v4/cmd/helm"} }

func engines() []engine { return []engine{helm3(), helm4()} }

func (e engine) program() string { return "helm-" + e.version }

// helms are the paths of all of them, built once.
var helms = sync.OnceValues(func() (map[string]string, error) {
	var extras []parts.Extra
	for _, e := range engines() {
		extras = append(extras, parts.Extra{Module: "hack/helm", Files: []string{"tools.go"}, Package: e.pkg, Name: e.program()})
	}
	return parts.BuildExtra(context.Background(), root, extras, os.Stderr)
})

func chart() string { return filepath.Join(root, "deploy", "helm", "daprise") }

// run runs Helm with nobody's settings but its own, and returns its standard output.
func (e engine) run(ctx context.Context, args ...string) (string, error) {
	paths, err := helms()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, paths[e.program()], args...)
	home := filepath.Join(shared.Dir(), e.program())
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+shared.Kubeconfig())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", e.program(), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// rendered is the text that Helm renders in a namespace. A Helm that is built outside of its release takes the cluster for Kubernetes 1.20.
func (e engine) rendered(t *testing.T, namespace string, args ...string) (string, error) {
	t.Helper()
	return e.run(t.Context(), append([]string{"template", release, chart(), "--namespace", namespace, "--kube-version", "v1.37.0"}, args...)...)
}

// template is what Helm would install: each version of it the same.
func template(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	by := map[string][]*unstructured.Unstructured{}
	for _, e := range engines() {
		text, err := e.rendered(t, system, args...)
		if err != nil {
			t.Fatal(err)
		}
		by[e.version] = documents(t, text)
	}
	if diff := cmp.Diff(byName(by["3"]), byName(by["4"])); diff != "" {
		t.Fatalf("rendered otherwise by Helm 4 (-3 +4):\n%s", diff)
	}
	return by["4"]
}
