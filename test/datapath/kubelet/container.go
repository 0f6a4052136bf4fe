// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	firstBackoff = time.Second
	// longestBackoff is a kubelet's 5 minutes made bearable.
	longestBackoff = 8 * time.Second
)

// container is one container of a Pod, over its restarts.
type container struct {
	worker *podWorker
	spec   *corev1.Container

	mu    sync.Mutex
	state containerState
}

type containerState struct {
	startedAt  *metav1.Time // nil while nothing runs
	ready      bool
	restarts   int32
	waiting    string // why nothing runs
	message    string
	terminated *corev1.ContainerStateTerminated
}

func (c *container) snapshot() containerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *container) change(edit func(*containerState)) {
	c.mu.Lock()
	edit(&c.state)
	c.mu.Unlock()
	select {
	case c.worker.changed <- struct{}{}:
	default: // asked for already
	}
}

// run starts the container and restarts it until the Pod ends.
func (c *container) run(ctx context.Context) {
	backoff := firstBackoff
	for !c.worker.isOver(ctx) {
		began := time.Now()
		p, err := c.start(ctx)
		if err != nil {
			c.change(func(s *containerState) { s.waiting, s.message = "CreateContainerError", err.Error() })
			c.worker.k.tell("pod %s, container %s: %v", c.worker.name(), c.spec.Name, err)
		} else {
			c.runOnce(ctx, p)
		}
		if c.worker.isOver(ctx) {
			return
		}
		if time.Since(began) > time.Minute {
			backoff = firstBackoff
		}
		select {
		case <-ctx.Done():
		case <-c.worker.ending:
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, longestBackoff)
		c.change(func(s *containerState) { s.restarts++ })
	}
}

// runOnce watches over one process until it has ended.
func (c *container) runOnce(ctx context.Context, p *process) {
	startedAt := metav1.Now()
	hasReadiness := c.spec.ReadinessProbe != nil
	c.change(func(s *containerState) {
		s.startedAt, s.waiting, s.message, s.ready = &startedAt, "", "", !hasReadiness && c.spec.StartupProbe == nil
	})
	probing, stopProbing := context.WithCancel(ctx)
	var probes sync.WaitGroup
	unhealthy := make(chan string, 1)
	probes.Go(func() { c.probe(probing, unhealthy) })

	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
	case <-c.worker.ending:
		c.end(ctx, p)
	case why := <-unhealthy:
		c.worker.k.tell("pod %s, container %s restarts: %s", c.worker.name(), c.spec.Name, why)
		p.stop(ctx, time.Duration(*c.worker.pod.Spec.TerminationGracePeriodSeconds)*time.Second, c.worker.killed)
	}
	<-p.done
	stopProbing()
	probes.Wait()
	c.ended(ctx, p, startedAt)
}

// end is what a kubelet does with a container of a Pod that was deleted: the
// preStop hook, SIGTERM, and at the end of the grace SIGKILL.
func (c *container) end(ctx context.Context, p *process) {
	c.worker.mu.Lock()
	deadline := c.worker.deadline
	c.worker.mu.Unlock()
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil {
		sleep := min(time.Duration(hook.PreStop.Sleep.Seconds)*time.Second, time.Until(deadline))
		select {
		case <-time.After(sleep):
		case <-p.done:
		case <-c.worker.killed:
		case <-ctx.Done():
		}
	}
	c.worker.k.tell("pod %s, container %s is asked to stop", c.worker.name(), c.spec.Name)
	p.stop(ctx, time.Until(deadline), c.worker.killed)
}

func (c *container) ended(ctx context.Context, p *process, startedAt metav1.Time) {
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: int32(p.exitCode()), Reason: "Completed", StartedAt: startedAt, FinishedAt: metav1.Now(),
	}
	if terminated.ExitCode != 0 {
		terminated.Reason = "Error"
	}
	if !c.worker.isOver(ctx) {
		c.worker.k.tell("pod %s, container %s ended with %d; the end of its log:\n%s",
			c.worker.name(), c.spec.Name, terminated.ExitCode, tail(p.log, 12))
	}
	c.change(func(s *containerState) {
		s.startedAt, s.ready, s.terminated, s.waiting = nil, false, terminated, "CrashLoopBackOff"
	})
}

// stop asks the process to end and kills it after the grace, or as soon as
// killed is closed. It returns when the process is gone.
func (p *process) stop(ctx context.Context, grace time.Duration, killed <-chan struct{}) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(max(grace, 0)):
	case <-killed:
	case <-ctx.Done():
	}
	p.kill()
	<-p.done
}
