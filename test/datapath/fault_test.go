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

// The API server and its store are no part of the data path. They are stopped for
// less than their other clients' leases last.
func TestControlPlaneDown(t *testing.T) {
	theWorld(t)
	l := startLoad(t)
	defer l.end(t)
	for _, down := range [][]string{{"kube-apiserver"}, {"etcd"}, {"kube-apiserver", "etcd"}} {
		t.Run(strings.Join(down, " and "), func(t *testing.T) {
			for _, program := range down {
				pid := processOf(t, func(dir string) bool {
					exe, err := os.Readlink(filepath.Join(dir, "exe"))
					return err == nil && filepath.Base(exe) == program
				})
				signal(t, pid, syscall.SIGSTOP)
				defer signal(t, pid, syscall.SIGCONT)
			}
			sentBefore, throughsBefore, _ := l.counts()
			began := time.Now()
			// The usual waits ask the API server, too.
			for sent := sentBefore; sent < sentBefore+150 && time.Since(began) < 6*time.Second; sent, _, _ = l.counts() {
				time.Sleep(50 * time.Millisecond)
			}
			sentAfter, throughsAfter, _ := l.counts()
			if sentAfter-sentBefore < 100 || throughsAfter == throughsBefore {
				t.Errorf("only %d requests were sent meanwhile, %d through companions", sentAfter-sentBefore, throughsAfter-throughsBefore)
			}
		})
		eventually(t.Context(), t, "the API server answers again", answersThroughCompanionsAsStored)
	}
}

// answersThroughCompanionsAsStored asks the API server and the app.
func answersThroughCompanionsAsStored(ctx context.Context) error {
	if err := routeIsRewritten(ctx); err != nil {
		return err
	}
	return answersThroughCompanions(ctx)
}

// A replica of the app's companion that dies loses more than what is under way in
// it: a call that fails closes the connection that other calls share, and those Dapr
// does not try again. Its container is restarted in place.
func TestCompanionKilled(t *testing.T) {
	theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	l := startLoad(t)
	until(ctx, t, l, 50)
	kill(ctx, t, oneReady(ctx, t, "whoami"))
	until(ctx, t, l, 100)
	if lost := l.stopped(t); lost > killedLimit {
		t.Errorf("%d requests are lost, more than the %d of docs/limits.md; the first: %s", lost, killedLimit, l.failures[0])
	}
}

// killedLimit bounds what one killed replica of two may cost: half of the
// requests of the seconds until it serves again, on a machine that is busy.
const killedLimit = 250

// Where calls may be tried again, nothing is lost by that.
func TestCompanionKilledWithResiliency(t *testing.T) {
	theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	manifest, err := os.ReadFile("testdata/again.yaml")
	if err != nil {
		t.Fatal(err)
	}
	renewIngress := func() {
		kill(ctx, t, oneReady(ctx, t, "ingress")) // daprd reads it when it starts
		eventually(ctx, t, "the gateway is back", answersThroughCompanions)
	}
	if err := applied(ctx, manifest); err != nil {
		t.Fatal(err)
	}
	renewIngress()
	defer func() {
		kubectl(ctx, t, "delete", "resiliency", "whoami-again")
		renewIngress()
	}()
	l := startLoad(t)
	defer l.end(t)
	until(ctx, t, l, 50)
	kill(ctx, t, oneReady(ctx, t, "whoami"))
	until(ctx, t, l, 100)
}

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
	hasNoEffect(ctx, t)
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

// companionProcess is daprd in a companion's Pod.
func companionProcess(t *testing.T, companion *corev1.Pod) int {
	t.Helper()
	return processOf(t, func(dir string) bool {
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		return err == nil && bytes.Contains(environment, []byte("POD_NAME="+companion.Name+"\x00"))
	})
}

// kill ends the process of a companion and returns when it was started again in its place.
func kill(ctx context.Context, t *testing.T, companion *corev1.Pod) {
	t.Helper()
	before := companion.Status.ContainerStatuses[0].RestartCount
	signal(t, companionProcess(t, companion), syscall.SIGKILL)
	eventually(ctx, t, companion.Name+" is started again", func(ctx context.Context) error {
		var now corev1.Pod
		if err := shared.Client.Get(ctx, client.ObjectKeyFromObject(companion), &now); err != nil {
			return err
		}
		if s := now.Status.ContainerStatuses[0]; s.RestartCount <= before || !s.Ready {
			return fmt.Errorf("%d restarts, ready: %t", s.RestartCount, s.Ready)
		}
		return nil
	})
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
