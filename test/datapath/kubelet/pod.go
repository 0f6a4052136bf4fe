// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podWorker runs one Pod from its binding to its end.
type podWorker struct {
	k       *Kubelet
	pod     *corev1.Pod
	network podNetwork
	dir     string
	started metav1.Time

	containers []*container
	// changed asks for a new status; ending and killed are closed when the Pod is
	// to end, and when its grace is over.
	changed chan struct{}
	ending  chan struct{}
	killed  chan struct{}

	mu       sync.Mutex
	isEnding bool
	isKilled bool
	deadline time.Time
}

func newPodWorker(k *Kubelet, pod *corev1.Pod) *podWorker {
	w := &podWorker{
		k:       k,
		pod:     pod.DeepCopy(),
		dir:     filepath.Join(k.options.Dir, string(pod.UID)),
		changed: make(chan struct{}, 1),
		ending:  make(chan struct{}),
		killed:  make(chan struct{}),
	}
	for i := range w.pod.Spec.Containers {
		w.containers = append(w.containers, &container{worker: w, spec: &w.pod.Spec.Containers[i]})
	}
	return w
}

func (w *podWorker) name() string { return w.pod.Namespace + "/" + w.pod.Name }

// terminate ends the Pod, after grace at the latest. A later call can shorten
// the grace to nothing.
func (w *podWorker) terminate(grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isEnding {
		w.isEnding, w.deadline = true, time.Now().Add(grace)
		close(w.ending)
	}
	if grace == 0 && !w.isKilled {
		w.isKilled = true
		close(w.killed)
	}
}

// run returns when nothing of the Pod is left, in the API either unless ctx ended.
func (w *podWorker) run(ctx context.Context) {
	defer w.k.forget(w.pod.UID)
	if refused := unhonoured(w.pod); len(refused) > 0 {
		w.refuse(ctx, fmt.Errorf("pod %s asks for what this kubelet does not honour: %s", w.name(), strings.Join(refused, ", ")))
		return
	}
	if err := w.setUp(ctx); err != nil {
		if ctx.Err() == nil {
			w.refuse(ctx, fmt.Errorf("pod %s: %w", w.name(), err))
		}
		return
	}
	w.k.tell("pod %s starts at %s", w.name(), w.network.address)
	stopped := make(chan struct{})
	reporting, stopReporting := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { w.report(reporting) })
	others.Go(func() { w.refreshVolumes(reporting) })
	go func() {
		defer close(stopped)
		var all sync.WaitGroup
		for _, c := range w.containers {
			all.Go(func() { c.run(ctx) })
		}
		all.Wait()
	}()
	<-stopped
	stopReporting()
	others.Wait()
	if left := w.k.options.Left; left != nil {
		left(w.pod)
	}
	if err := w.k.network.tearDown(w.network); err != nil {
		w.k.tell("pod %s: %v", w.name(), err)
	}
	if ctx.Err() == nil {
		w.remove(ctx)
	}
}

func (w *podWorker) setUp(ctx context.Context) error {
	var err error
	if w.network, err = w.k.network.setUp(ctx); err != nil {
		return err
	}
	if joined := w.k.options.Joined; joined != nil {
		if err := joined(ctx, w.pod, w.network.address); err != nil {
			return err
		}
	}
	w.started = metav1.Now()
	return w.prepareVolumes(ctx)
}

// refuse reports a Pod that cannot run here, in its status and aloud.
func (w *podWorker) refuse(ctx context.Context, reason error) {
	w.k.fail(reason)
	pod := w.pod.DeepCopy()
	pod.Status.Phase = corev1.PodFailed
	pod.Status.Reason = "NotHonoured"
	pod.Status.Message = reason.Error()
	if _, err := w.k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		w.k.tell("pod %s: report: %v", w.name(), err)
	}
}

// isOver says whether the Pod is to run no longer.
func (w *podWorker) isOver(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-w.ending:
		return true
	default:
		return false
	}
}
