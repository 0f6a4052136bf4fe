// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const changeLimit = 3 * time.Minute

// An app leaves the mesh and joins it again while it is used, and nobody
// notices.
func TestLeavingAndJoiningUnderLoad(t *testing.T) {
	theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	l := startLoad(t)
	defer l.end(t)

	annotateService(ctx, t, "daprise.dev/enabled-")
	eventually(ctx, t, "the route is the user's again", func(ctx context.Context) error {
		return routeLeadsTo(ctx, "whoami-route", "whoami")
	})
	eventually(ctx, t, "the companion is gone", companionIsGone)
	annotateService(ctx, t, annotate)
	eventually(ctx, t, "the route is rewritten", routeIsRewritten)
	eventually(ctx, t, "the gateway follows", answersThroughCompanions)
	// A moment more: old endpoints and connections have to be let go.
	until(ctx, t, l, 100)
}

// Replicas of both companions are replaced while they are used: one of the
// app's is deleted, and the ingress companion's are rolled by a setting.
func TestReplacingCompanionsUnderLoad(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	l := startLoad(t)
	defer l.end(t)
	until(ctx, t, l, 50)
	old := oneReady(ctx, t, "whoami")
	if err := w.Client.Delete(ctx, old); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, old.Name+" is gone", isGone(old))
	old = oneReady(ctx, t, "ingress")
	if err := annotated(ctx, "gateway", "default-gateway", "dapr.io/log-level=warn"); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, old.Name+" is gone", isGone(old))
	err := errors.Join(
		w.WaitDaemonSet(ctx, client.ObjectKey{Namespace: namespace, Name: ingressName}),
		w.WaitDeployment(ctx, client.ObjectKey{Namespace: namespace, Name: appName}),
	)
	if err != nil {
		t.Fatal(err)
	}
	until(ctx, t, l, 100)
}

func oneReady(ctx context.Context, t *testing.T, app string) *corev1.Pod {
	t.Helper()
	pods, err := shared.ReadyPods(ctx, namespace, client.MatchingLabels{"daprise.dev/companion": app})
	if err != nil || len(pods) == 0 {
		t.Fatalf("no companion of %s: %v", app, err)
	}
	return &pods[0]
}

func isGone(pod *corev1.Pod) func(context.Context) error {
	return func(ctx context.Context) error {
		err := shared.Client.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("still there"), err)
	}
}

// What runs keeps running without daprise.
func TestDapriseIsNotInTheDataPath(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	l := startLoad(t)
	defer l.end(t)
	scale(ctx, t, 0)
	eventually(ctx, t, "no daprise runs", func(ctx context.Context) error {
		// Also one that is asked to end still answers for a while.
		var pods corev1.PodList
		err := w.Client.List(ctx, &pods, client.InNamespace("daprise-system"))
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("%d pods", len(pods.Items))
		}
		return err
	})
	_, before, _ := l.counts()
	refusedWithoutDaprise(ctx, t)
	until(ctx, t, l, 150)
	if _, after, _ := l.counts(); after == before {
		t.Error("no request went through companions meanwhile")
	}
	scale(ctx, t, 2)
	if err := w.WaitDeployment(ctx, client.ObjectKey{Namespace: "daprise-system", Name: "daprise-webhook"}); err != nil {
		t.Fatal(err)
	}
}

func scale(ctx context.Context, t *testing.T, replicas int) {
	t.Helper()
	if _, err := shared.Kubectl(ctx, "-n", "daprise-system", "scale", "deployment", "daprise-webhook", fmt.Sprintf("--replicas=%d", replicas)); err != nil {
		t.Fatal(err)
	}
}

func annotateService(ctx context.Context, t *testing.T, annotation string) {
	t.Helper()
	if err := annotated(ctx, "service", "whoami", annotation); err != nil {
		t.Fatal(err)
	}
}

func eventually(ctx context.Context, t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	if err := shared.Eventually(ctx, what, check); err != nil {
		t.Fatal(err)
	}
}

// until waits for that many more requests.
func until(ctx context.Context, t *testing.T, l *load, more int) {
	t.Helper()
	before, _, _ := l.counts()
	eventually(ctx, t, fmt.Sprintf("%d more requests", more), func(context.Context) error {
		if sent, _, _ := l.counts(); sent < before+more {
			return fmt.Errorf("%d so far", sent-before)
		}
		return nil
	})
}

func routeLeadsTo(ctx context.Context, name, service string) error {
	var route gatewayv1.HTTPRoute
	if err := shared.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &route); err != nil {
		return err
	}
	if to := string(route.Spec.Rules[0].BackendRefs[0].Name); to != service {
		return fmt.Errorf("HTTPRoute %s leads to %s", name, to)
	}
	return nil
}

func companionIsGone(ctx context.Context) error {
	err := shared.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: appName}, &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		return errors.Join(errors.New("the Deployment is still there"), err)
	}
	pods, err := shared.ReadyPods(ctx, namespace, client.MatchingLabels{"daprise.dev/companion": "whoami"})
	if err == nil && len(pods) > 0 {
		err = fmt.Errorf("%d pods are still ready", len(pods))
	}
	return err
}
