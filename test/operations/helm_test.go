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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/test/controlplane/parts"
)

const release = "daprise"

// helm is the path of Helm, built once.
var helm = sync.OnceValues(func() (string, error) {
	programs, err := parts.BuildExtra(context.Background(), root, []parts.Extra{{
		Module: "hack/helm", Files: []string{"tools.go"}, Package: "helm.sh/helm/v4/cmd/helm", Name: "helm",
	}}, os.Stderr)
	return programs["helm"], err
})

func chart() string { return filepath.Join(root, "deploy", "helm", "daprise") }

// runHelm runs Helm with nobody's settings but its own, and returns its standard output.
func runHelm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return helmIn(t.Context(), args...)
}

func helmIn(ctx context.Context, args ...string) (string, error) {
	helm, err := helm()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, helm, args...)
	home := filepath.Join(shared.Dir(), "helm")
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+shared.Kubeconfig())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// template is what Helm would install.
func template(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	text, err := runHelm(t, append([]string{"template", release, chart(), "--namespace", "daprise-system"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, text)
}
