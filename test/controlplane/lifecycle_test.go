// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/test/controlplane"
)

// processesOf lists the running processes that name dir in their command line.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err == nil && strings.Contains(string(line), dir+string(filepath.Separator)) {
			found = append(found, entry.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// unlimited: the control plane shared by this package already has a turn.
func unlimited() controlplane.Options {
	return controlplane.Options{Slots: controlplane.Unlimited, CRDs: []controlplane.CRDSet{}, Nodes: 1, Log: os.Stderr}
}

func TestStopLeavesNothing(t *testing.T) {
	started := time.Now()
	cp, err := controlplane.Start(t.Context(), unlimited())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %s", time.Since(started).Round(time.Millisecond))
	dir := cp.Dir()
	if got := processesOf(t, dir); len(got) != 5 {
		t.Errorf("%d processes run, want 5:\n%s", len(got), strings.Join(got, "\n"))
	}
	if err := cp.Stop(); err != nil {
		t.Error(err)
	}
	if got := processesOf(t, dir); len(got) > 0 {
		t.Errorf("still running:\n%s", strings.Join(got, "\n"))
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := cp.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestDetachedIsStoppedByItsFolder(t *testing.T) {
	options := unlimited()
	options.Lifetime, options.Dir = controlplane.Detached, t.TempDir()
	cp, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := controlplane.Start(t.Context(), options); err == nil {
		t.Error("a second control plane started in the same folder")
	}
	if err := controlplane.StopDir(cp.Dir()); err != nil {
		t.Fatal(err)
	}
	if got := processesOf(t, cp.Dir()); len(got) > 0 {
		t.Errorf("still running:\n%s", strings.Join(got, "\n"))
	}
	if _, err := os.Stat(cp.Kubeconfig()); err != nil {
		t.Errorf("the caller's folder was not kept: %v", err)
	}
}

func TestDetachedNeedsAFolder(t *testing.T) {
	options := unlimited()
	options.Lifetime = controlplane.Detached
	if _, err := controlplane.Start(t.Context(), options); err == nil {
		t.Error("started, though StopDir could not find it")
	}
}

func TestBadFlagFailsWithTheLog(t *testing.T) {
	options := unlimited()
	options.APIServerFlags = []string{"--no-such-flag"}
	_, err := controlplane.Start(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("error is %v, want the API server's own words", err)
	}
}

func TestRestartOfTheAPIServerKeepsData(t *testing.T) {
	cp := controlplane.For(t, unlimited())
	kube := client(t, cp)
	if _, err := cp.Kubectl(t.Context(), "create", "configmap", "kept"); err != nil {
		t.Fatal(err)
	}
	if err := cp.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, err := kube.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{}); err == nil {
		t.Error("the API server answers after StopAPIServer")
	}
	if err := cp.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := kube.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := cp.Alive(); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestRestartOfEtcdKeepsData(t *testing.T) {
	cp := controlplane.For(t, unlimited())
	if _, err := cp.Kubectl(t.Context(), "create", "configmap", "kept"); err != nil {
		t.Fatal(err)
	}
	if err := cp.RestartEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cp.Kubectl(t.Context(), "get", "configmap", "kept"); err != nil {
		t.Error(err)
	}
	if err := cp.Alive(); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func waitToBeKilled() {
	cp, err := controlplane.Start(context.Background(), unlimited())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(cp.Dir())
	select {}
}

// A test binary that is killed, as by a time limit of its own, runs no cleanup.
func TestKilledStarterLeavesNoProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can end processes with their starter")
	}
	starter := exec.CommandContext(t.Context(), os.Args[0])
	starter.Env = append(os.Environ(), childVariable+"=1")
	starter.Stderr = os.Stderr
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	dir := strings.TrimSpace(line)
	if err != nil || !filepath.IsAbs(dir) {
		t.Fatalf("the starter said %q, %v", line, err)
	}
	if got := processesOf(t, dir); len(got) != 5 {
		t.Errorf("%d processes run, want 5:\n%s", len(got), strings.Join(got, "\n"))
	}
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := starter.Wait(); err == nil {
		t.Error("the starter ended well, want killed")
	}
	eventually(t, "the processes to end", func(context.Context) (bool, error) {
		return len(processesOf(t, dir)) == 0, nil
	})
	next := controlplane.For(t, unlimited())
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s did not sweep %s: %v", next.Dir(), dir, err)
	}
}
