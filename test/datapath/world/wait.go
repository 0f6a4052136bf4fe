// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Eventually polls until check returns nothing. It fails with check's last
// answer when ctx ends, and at once when a program of the control plane ended or
// the kubelet refused a Pod.
func (w *World) Eventually(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if fatal := w.Alive(); fatal != nil {
			return fatal
		}
		if fatal := errors.Join(w.Kubelet.Err(), w.Policies.Err()); fatal != nil {
			return fatal
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; last: %w", what, ctx.Err(), err)
		case <-time.After(poll):
		}
	}
}

// WaitDeployment returns when a Deployment's rollout is complete.
func (w *World) WaitDeployment(ctx context.Context, key client.ObjectKey) error {
	return w.Eventually(ctx, "Deployment "+key.String(), func(ctx context.Context) error {
		var d appsv1.Deployment
		if err := w.Client.Get(ctx, key, &d); err != nil {
			return err
		}
		s, want := d.Status, *d.Spec.Replicas
		if s.ObservedGeneration < d.Generation || s.UpdatedReplicas != want || s.ReadyReplicas != want || s.Replicas != want {
			return fmt.Errorf("%d of %d replicas are ready, %d updated", s.ReadyReplicas, want, s.UpdatedReplicas)
		}
		return nil
	})
}

// WaitDaemonSet returns when a DaemonSet's rollout is complete.
func (w *World) WaitDaemonSet(ctx context.Context, key client.ObjectKey) error {
	return w.Eventually(ctx, "DaemonSet "+key.String(), func(ctx context.Context) error {
		var d appsv1.DaemonSet
		if err := w.Client.Get(ctx, key, &d); err != nil {
			return err
		}
		s := d.Status
		if s.ObservedGeneration < d.Generation || s.DesiredNumberScheduled == 0 || s.NumberReady != s.DesiredNumberScheduled ||
			s.UpdatedNumberScheduled != s.DesiredNumberScheduled {
			return fmt.Errorf("%d of %d pods are ready, %d updated", s.NumberReady, s.DesiredNumberScheduled, s.UpdatedNumberScheduled)
		}
		return nil
	})
}

// ReadyPods are the Pods of a namespace with those labels that are Ready and
// are not being deleted.
func (w *World) ReadyPods(ctx context.Context, namespace string, labels client.MatchingLabels) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := w.Client.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return nil, err
	}
	var ready []corev1.Pod
	for _, pod := range pods.Items {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				ready = append(ready, pod)
			}
		}
	}
	return ready, nil
}

// ServiceAddress is a Service's cluster address.
func (w *World) ServiceAddress(ctx context.Context, key client.ObjectKey) (string, error) {
	var service corev1.Service
	if err := w.Client.Get(ctx, key, &service); err != nil {
		return "", err
	}
	return service.Spec.ClusterIP, nil
}
