// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// metrics are the gauges of the leader (contract: "Metrics"), told from what was last observed of each companion.
type metrics struct {
	now        func() time.Time
	companions *prometheus.Desc
	gaps       *prometheus.Desc
	joining    *prometheus.Desc
	anchors    *prometheus.Desc

	mu    sync.Mutex
	known map[mesh.AppRef]gauge
	// trusted is when the trust bundle expires, nil as long as nobody has looked.
	trusted *time.Time
}

// gauge is what metrics keep of one companion.
type gauge struct {
	state string
	codes []mesh.Code
	// joining is since when the companion's routes wait, or zero.
	joining time.Time
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		now:        time.Now,
		known:      map[mesh.AppRef]gauge{},
		companions: prometheus.NewDesc("daprise_companions", "Companions by the reason of their condition Companion, or Leaving. Only the leader counts.", []string{"state"}, nil),
		gaps:       prometheus.NewDesc("daprise_coverage_gaps", "Findings of coverage on companions, whatever the mode of their namespaces. Only the leader counts.", []string{"code"}, nil),
		joining:    prometheus.NewDesc("daprise_joining_seconds", "How long the oldest of the Services has been Joining; 0 if none is. Only the leader counts.", nil, nil),
		anchors:    prometheus.NewDesc("daprise_trust_bundle_expiry_seconds", "Seconds until the first root certificate of Dapr's trust bundle expires; 0 if companions cannot start with the bundle. Only the leader looks.", nil, nil),
	}
	if err := registerer.Register(m); err != nil {
		return nil, fmt.Errorf("register the controller's metrics: %w", err)
	}
	return m, nil
}

// observe notes a companion's conditions, as stored, and its findings.
func (m *metrics) observe(ref mesh.AppRef, conditions []metav1.Condition, findings []mesh.Finding) {
	g := gauge{}
	if c := meta.FindStatusCondition(conditions, conditionCompanion); c != nil {
		g.state = c.Reason
	}
	if c := meta.FindStatusCondition(conditions, conditionMeshed); c != nil {
		switch c.Reason {
		case reasonLeaving:
			g.state = reasonLeaving
		case reasonJoining:
			g.joining = c.LastTransitionTime.Time
		}
	}
	for _, f := range findings {
		g.codes = append(g.codes, f.Code)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[ref] = g
}

// trust notes when the trust bundle expires; a bundle that nothing can start with has expired.
func (m *metrics) trust(t trust) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trusted = &t.expires
}

// forget drops a companion that is gone.
func (m *metrics) forget(ref mesh.AppRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, ref)
}

// Describe is of prometheus.Collector.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- m.companions
	descs <- m.gaps
	descs <- m.joining
	descs <- m.anchors
}

// Collect is of prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	states, codes := map[string]int{}, map[mesh.Code]int{}
	var oldest time.Duration
	for _, g := range m.known {
		states[g.state]++
		for _, code := range g.codes {
			codes[code]++
		}
		if !g.joining.IsZero() {
			oldest = max(oldest, m.now().Sub(g.joining))
		}
	}
	for state, n := range states {
		out <- prometheus.MustNewConstMetric(m.companions, prometheus.GaugeValue, float64(n), state)
	}
	for code, n := range codes {
		out <- prometheus.MustNewConstMetric(m.gaps, prometheus.GaugeValue, float64(n), string(code))
	}
	out <- prometheus.MustNewConstMetric(m.joining, prometheus.GaugeValue, oldest.Seconds())
	if m.trusted != nil {
		out <- prometheus.MustNewConstMetric(m.anchors, prometheus.GaugeValue, max(0, m.trusted.Sub(m.now()).Seconds()))
	}
}
