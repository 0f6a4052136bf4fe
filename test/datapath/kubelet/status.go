// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// report writes the Pod's status whenever something changed, until ctx ends.
// What cannot be written is tried again: the API server may be down.
func (w *podWorker) report(ctx context.Context) {
	for {
		err := w.writeStatus(ctx)
		if apierrors.IsNotFound(err) {
			return
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(300 * time.Millisecond):
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
	}
}

func (w *podWorker) writeStatus(ctx context.Context) error {
	pods := w.k.client.CoreV1().Pods(w.pod.Namespace)
	pod, err := pods.Get(ctx, w.pod.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if pod.UID != w.pod.UID {
		return nil // another Pod of that name
	}
	updated := pod.DeepCopy()
	w.fillStatus(&updated.Status)
	_, err = pods.UpdateStatus(ctx, updated, metav1.UpdateOptions{})
	return err
}

func (w *podWorker) fillStatus(status *corev1.PodStatus) {
	ready, anyRan := true, false
	status.ContainerStatuses = nil
	for _, c := range w.containers {
		s := c.snapshot()
		ready = ready && s.ready
		anyRan = anyRan || s.startedAt != nil || s.terminated != nil
		status.ContainerStatuses = append(status.ContainerStatuses, c.status(s))
	}
	status.Phase = corev1.PodPending
	if anyRan {
		status.Phase = corev1.PodRunning
	}
	address, node := w.network.address.String(), w.k.options.Address.String()
	status.PodIP, status.PodIPs = address, []corev1.PodIP{{IP: address}}
	status.HostIP, status.HostIPs = node, []corev1.HostIP{{IP: node}}
	status.StartTime = &w.started
	isReady := corev1.ConditionFalse
	if ready {
		isReady = corev1.ConditionTrue
	}
	setCondition(status, corev1.PodReadyToStartContainers, corev1.ConditionTrue)
	setCondition(status, corev1.PodInitialized, corev1.ConditionTrue)
	setCondition(status, corev1.ContainersReady, isReady)
	setCondition(status, corev1.PodReady, isReady)
}

func (c *container) status(s containerState) corev1.ContainerStatus {
	running := s.startedAt != nil
	status := corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: c.spec.Image, Ready: s.ready, Started: &running, RestartCount: s.restarts,
	}
	switch {
	case running:
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: *s.startedAt}
	case s.waiting != "":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: s.waiting, Message: s.message}
	default:
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
	if s.terminated != nil {
		status.LastTerminationState.Terminated = s.terminated
	}
	return status
}

// setCondition leaves the conditions of others alone.
func setCondition(status *corev1.PodStatus, kind corev1.PodConditionType, value corev1.ConditionStatus) {
	for i := range status.Conditions {
		if c := &status.Conditions[i]; c.Type == kind {
			if c.Status != value {
				c.Status, c.LastTransitionTime = value, metav1.Now()
			}
			return
		}
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: value, LastTransitionTime: metav1.Now()})
}

// remove takes a Pod whose processes are gone out of the API, as a kubelet
// does, until it is out of it or ctx ends.
func (w *podWorker) remove(ctx context.Context) {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &w.pod.UID}}
	for {
		err := w.k.client.CoreV1().Pods(w.pod.Namespace).Delete(ctx, w.pod.Name, options)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			w.k.tell("pod %s is gone", w.name())
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}
