// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/webhook/hooks"
)

// prover shows that admission enforces: on the leader, it sends the API server a dry run of a Service that must be refused, and notes
// when that was last refused by our own webhook. It tells and changes nothing: what to do about a gap is decided by people.
type prover struct {
	client    client.Writer
	namespace string
	every     time.Duration
	now       func() time.Time
	log       *slog.Logger
	age       *prometheus.Desc

	mu sync.Mutex
	// since is when the last proof succeeded, or when proving began; zero while another replica leads.
	since time.Time
}

// setUpProof adds the prover to the manager, and its metric. An interval of zero is none.
func setUpProof(mgr ctrl.Manager, s settings, log *slog.Logger, registerer prometheus.Registerer) error {
	if s.proofInterval == 0 {
		return nil
	}
	// The dry run must go to the API server as any client's does; writes are never cached.
	p := &prover{
		client: mgr.GetClient(), namespace: s.proofNamespace, every: s.proofInterval, now: time.Now, log: log,
		age: prometheus.NewDesc("daprise_proof_age_seconds", "Seconds since the API server last had a Service refused by us that must be refused. Only the leader tries.", nil, nil),
	}
	if err := registerer.Register(p); err != nil {
		return fmt.Errorf("register metric: %w", err)
	}
	if err := mgr.Add(p); err != nil {
		return fmt.Errorf("set up the proof: %w", err)
	}
	return nil
}

// Start implements manager.Runnable.
func (p *prover) Start(ctx context.Context) error {
	p.note(p.now())
	wait.UntilWithContext(ctx, p.try, p.every)
	p.note(time.Time{})
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (p *prover) NeedLeaderElection() bool { return true }

func (p *prover) try(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.every)
	defer cancel()
	err := hooks.Proven(p.client.Create(ctx, hooks.Proof(p.namespace), client.DryRunAll))
	switch {
	case err == nil:
		p.note(p.now())
	case ctx.Err() == nil:
		p.log.Warn("not proven", "namespace", p.namespace, "reason", err.Error())
	}
}

func (p *prover) note(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = at
}

// Describe implements prometheus.Collector.
func (p *prover) Describe(descs chan<- *prometheus.Desc) { descs <- p.age }

// Collect implements prometheus.Collector.
func (p *prover) Collect(out chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return
	}
	out <- prometheus.MustNewConstMetric(p.age, prometheus.GaugeValue, p.now().Sub(p.since).Seconds())
}
