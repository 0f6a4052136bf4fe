// SPDX-License-Identifier: Apache-2.0

package parts_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/daprise/daprise/test/controlplane/parts"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// A build that exists costs nothing: the second call must neither compile nor
// wait. 100 ms are for a loaded machine.
func TestSecondBuildIsInstant(t *testing.T) {
	dir := root(t)
	if _, err := parts.Build(t.Context(), dir, os.Stderr); err != nil {
		t.Fatal(err)
	}
	if _, err := parts.FindModules(t.Context(), dir, os.Stderr); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	started := time.Now()
	built, err := parts.Build(t.Context(), dir, &log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parts.FindModules(t.Context(), dir, &log); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 100*time.Millisecond {
		t.Errorf("took %s, want at most 100 ms", took)
	}
	if log.Len() > 0 {
		t.Errorf("told of work: %s", log.String())
	}
	for _, name := range []string{"etcd", "kwok", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		info, err := os.Stat(built.Path(name))
		if err != nil {
			t.Error(err)
		} else if info.Mode()&0o111 == 0 {
			t.Errorf("%s is not executable", name)
		}
	}
}

// The CRDs that tests install must be those of the types that the product is
// compiled with.
func TestCRDVersionsAreTheProductsOwn(t *testing.T) {
	t.Setenv(parts.ReleaseVariable, string(parts.Newest))
	dir := root(t)
	modules, err := parts.FindModules(t.Context(), dir, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{parts.ModuleGatewayAPI, parts.ModuleCilium, parts.ModuleCertManager} {
		t.Run(path, func(t *testing.T) {
			require := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(path) + ` (\S+)`)
			match := require.FindSubmatch(goMod)
			if match == nil {
				t.Fatal("the product's go.mod does not require it")
			}
			if got, want := modules.Module(path).Version, string(match[1]); got != want {
				t.Errorf("hack/controlplane/crds pins %s, the product %s", got, want)
			}
		})
	}
	if got := modules.Module(parts.ModuleDapr); got.Version != "v1.18.2" || got.Dir == "" {
		t.Errorf("Dapr is %+v, want v1.18.2", got)
	}
}

// With the oldest Kubernetes goes the oldest of the rest: of each the version at which the support matrix begins.
func TestOldestCRDsAreWhereTheMatrixBegins(t *testing.T) {
	t.Setenv(parts.ReleaseVariable, string(parts.Oldest))
	dir := root(t)
	modules, err := parts.FindModules(t.Context(), dir, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	matrix, err := os.ReadFile(filepath.Join(dir, "docs", "support.md"))
	if err != nil {
		t.Fatal(err)
	}
	for path, title := range map[string]string{parts.ModuleGatewayAPI: "Gateway API", parts.ModuleCilium: "Cilium", parts.ModuleDapr: "Dapr"} {
		minor := regexp.MustCompile(`^v(\d+\.\d+)\.`).FindStringSubmatch(modules.Module(path).Version)
		if minor == nil {
			t.Fatalf("%s is %+v", path, modules.Module(path))
		}
		row := regexp.MustCompile(`(?m)^\| ` + title + ` \|[^\n]*\n(?:\| \|[^\n]*\n)*?\| \| ` + regexp.QuoteMeta(minor[1]) + `(?: to [\d.]+)? \|[^\n]*make test-oldest`)
		if !row.Match(matrix) {
			t.Errorf("docs/support.md does not say that %s %s is tested by make test-oldest", title, minor[1])
		}
	}
}

// The oldest release is the oldest that the chart admits, so that what it promises is tried.
func TestOldestIsWhatTheChartAdmits(t *testing.T) {
	dir := root(t)
	version, err := parts.KubernetesVersion(dir, parts.Oldest)
	if err != nil {
		t.Fatal(err)
	}
	chart, err := os.ReadFile(filepath.Join(dir, "deploy", "helm", "daprise", "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	admits := regexp.MustCompile(`(?m)^kubeVersion: ">=(\d+\.\d+)\.0-0"$`).FindSubmatch(chart)
	if admits == nil {
		t.Fatal("Chart.yaml has no kubeVersion")
	}
	if minor := regexp.MustCompile(`^v(\d+\.\d+)\.`).FindStringSubmatch(version); minor == nil || minor[1] != string(admits[1]) {
		t.Errorf("the chart admits %s and later, hack/controlplane/oldest is %s", admits[1], version)
	}
}

func TestUnknownRelease(t *testing.T) {
	t.Setenv(parts.ReleaseVariable, "1.20")
	if _, err := parts.Build(t.Context(), root(t), nil); !errors.Is(err, parts.ErrUnknownRelease) {
		t.Errorf("error is %v, want ErrUnknownRelease", err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := parts.TryLock(path)
	if err != nil || held == nil {
		t.Fatalf("first lock: %v, %v", held, err)
	}
	if second, err := parts.TryLock(path); second != nil || err != nil {
		t.Fatalf("second lock: %v, %v, want neither", second, err)
	}
	gaveUp := errors.New("gave up")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, gaveUp)
	defer cancel()
	var log bytes.Buffer
	if _, err := parts.LockAny(ctx, &log, "a turn", path); !errors.Is(err, gaveUp) {
		t.Errorf("waiting for a held lock: %v, want the context's cause", err)
	}
	if got, want := log.String(), "controlplane: waiting for a turn: 0 s\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	other := filepath.Join(t.TempDir(), "other")
	if got, err := parts.LockAny(t.Context(), nil, "a turn", path, other); err != nil || got == nil {
		t.Errorf("lock of the free one of two: %v, %v", got, err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := parts.LockAny(t.Context(), nil, "a turn", path)
	if err != nil || again == nil {
		t.Errorf("lock after unlock: %v, %v", again, err)
	}
}

func TestBuildOutsideOfTheProject(t *testing.T) {
	if _, err := parts.Build(t.Context(), t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v, want the missing go.mod", err)
	}
	t.Chdir(t.TempDir())
	if _, err := parts.Root(); !errors.Is(err, parts.ErrNoRoot) {
		t.Errorf("error is %v, want ErrNoRoot", err)
	}
}

// A program whose build fails leaves no file under its name, and the error
// says what the compiler said.
func TestFailedBuildIsNotKept(t *testing.T) {
	dir := t.TempDir()
	module := filepath.Join(dir, "hack", "controlplane")
	if err := os.MkdirAll(module, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module broken\n\ngo 1.26.0\n", "go.sum": "", "tools.go": "package tools\n"} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	built, err := parts.Build(t.Context(), dir, &log)
	if err == nil || !regexp.MustCompile(`(?s)build go\.etcd\.io/etcd/server/v3 in .*no required module provides`).MatchString(err.Error()) {
		t.Errorf("error is %v, want the go command's own words", err)
	}
	if _, err := os.Stat(built.Path("etcd")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("etcd exists: %v", err)
	}
	if got, want := log.String(), "controlplane: building etcd (1 of 6)\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}
