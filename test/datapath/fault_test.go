// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Dapr's sentry signs for a day: while it is away, nothing is noticed.
func TestSentryDown(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	l := startLoad(t)
	defer l.end(t)
	sentry := client.ObjectKey{Namespace: "dapr-system", Name: "dapr-sentry"}
	scaleTo(ctx, t, sentry, 0)
	eventually(ctx, t, "no sentry runs", func(ctx context.Context) error {
		pods, err := w.ReadyPods(ctx, sentry.Namespace, client.MatchingLabels{"app": sentry.Name})
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d pods", len(pods))
		}
		return err
	})
	until(ctx, t, l, 150)
	scaleTo(ctx, t, sentry, 1)
	if err := w.WaitDeployment(ctx, sentry); err != nil {
		t.Fatal(err)
	}
}

func scaleTo(ctx context.Context, t *testing.T, deployment client.ObjectKey, replicas int) {
	t.Helper()
	if _, err := shared.Kubectl(ctx, "-n", deployment.Namespace, "scale", "deployment", deployment.Name, "--replicas="+strconv.Itoa(replicas)); err != nil {
		t.Fatal(err)
	}
}

// An API server that does not answer is no part of the data path. It is stopped
// for less than its other clients' leases last.
func TestAPIServerDown(t *testing.T) {
	theWorld(t)
	pid := processOf(t, func(dir string) bool {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		return err == nil && filepath.Base(exe) == "kube-apiserver"
	})
	l := startLoad(t)
	defer l.end(t)
	sentBefore, _, _ := l.counts()
	signal(t, pid, syscall.SIGSTOP)
	began := time.Now()
	// The usual waits ask the API server, too.
	for sent := sentBefore; sent < sentBefore+200 && time.Since(began) < 7*time.Second; sent, _, _ = l.counts() {
		time.Sleep(50 * time.Millisecond)
	}
	signal(t, pid, syscall.SIGCONT)
	sentAfter, throughs, _ := l.counts()
	if sentAfter-sentBefore < 100 || throughs == 0 {
		t.Errorf("only %d requests were sent meanwhile, %d through companions in all", sentAfter-sentBefore, throughs)
	}
}

// A replica of the app's companion that dies loses what is under way in it: Dapr
// asks the same address again for some seconds and gives up. Its container is
// restarted in place.
func TestCompanionKilled(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	l := startLoad(t)
	until(ctx, t, l, 50)
	victim := oneReady(ctx, t, "whoami")
	pid := processOf(t, func(dir string) bool {
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		return err == nil && bytes.Contains(environment, []byte("POD_NAME="+victim.Name+"\x00"))
	})
	signal(t, pid, syscall.SIGKILL)
	eventually(ctx, t, "the container is restarted", func(ctx context.Context) error {
		var now corev1.Pod
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(victim), &now); err != nil {
			return err
		}
		if s := now.Status.ContainerStatuses[0]; s.RestartCount == 0 || !s.Ready {
			return fmt.Errorf("%d restarts, ready: %t", s.RestartCount, s.Ready)
		}
		return nil
	})
	until(ctx, t, l, 100)
	if lost := l.stopped(t); lost > killedLimit {
		t.Errorf("%d requests are lost, more than the %d of docs/limits.md; the first: %s", lost, killedLimit, l.failures[0])
	}
}

// killedLimit bounds what one killed replica of two may cost: half of the
// requests of the seconds until it serves again, on a machine that is busy.
const killedLimit = 250

// Whoever deletes daprise without a thought keeps a mesh that works.
func TestUninstall(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	l := startLoad(t)
	defer l.end(t)
	// Tried again as a user would: the API server takes a moment to forget hooks
	// and policies that are deleted with what they judge.
	eventually(ctx, t, "daprise is deleted", w.UninstallDaprise)
	_, before, _ := l.counts()
	until(ctx, t, l, 150)
	if _, after, _ := l.counts(); after == before {
		t.Error("no request went through companions meanwhile")
	}
	if err := w.InstallDaprise(ctx); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, l, 50)
}

// An app's companions change from a Deployment to a DaemonSet under load.
func TestStrategyChanged(t *testing.T) {
	w := theWorld(t)
	echo(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	l := startLoadAt(t, echoHost)
	defer l.end(t)
	key := client.ObjectKey{Namespace: namespace, Name: "echo-dapr"}
	if err := annotated(ctx, "service", "echo", "daprise.dev/strategy=daemonset"); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the DaemonSet exists", func(ctx context.Context) error { return w.Client.Get(ctx, key, &appsv1.DaemonSet{}) })
	if err := w.WaitDaemonSet(ctx, key); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the Deployment's pods are gone", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := w.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"daprise.dev/companion": "echo"}); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		return nil
	})
	until(ctx, t, l, 100)
}

// processOf finds the one process of this world that is meant: processes
// elsewhere on the machine are not to be seen from here.
func processOf(t *testing.T, isIt func(dir string) bool) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if isIt(dir) {
			pid, err := strconv.Atoi(strings.TrimPrefix(dir, "/proc/"))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("no such process")
	return 0
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}
