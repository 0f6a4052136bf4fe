// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh"
)

// metrics are the counters of admission (contract: "Metrics").
type metrics struct {
	decisions *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	liveReads *prometheus.CounterVec
	// known are the resources with a decision; others share one label value, so that no caller can grow the number of series.
	known map[string]bool
}

func newMetrics(registerer prometheus.Registerer, known map[string]bool) (*metrics, error) {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daprise_admission_decisions_total",
			Help: "Decisions by admission. A mutation that admits is not counted: the validation of the same request decides.",
		}, []string{"resource", "operation", "decision", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "daprise_admission_duration_seconds",
			Help:    "Time from a decoded AdmissionReview to its decision, one observation for each call.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"resource", "operation"}),
		liveReads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daprise_live_reads_total",
			Help: "Decisions that were taken again on data read from the API server, because cached data refused or left something open.",
		}, []string{"resource"}),
		known: known,
	}
	for _, c := range []prometheus.Collector{m.decisions, m.duration, m.liveReads} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metric: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) decided(p phase, request *admissionv1.AdmissionRequest, v verdict, took time.Duration) {
	resource, operation := m.labels(request)
	m.duration.WithLabelValues(resource, operation).Observe(took.Seconds())
	decision, code := v.decision()
	if p == phaseMutate && decision != decisionDeny {
		return
	}
	m.decisions.WithLabelValues(resource, operation, decision, string(code)).Inc()
}

func (m *metrics) failed(request *admissionv1.AdmissionRequest) {
	resource, operation := m.labels(request)
	m.decisions.WithLabelValues(resource, operation, decisionError, string(mesh.Code(""))).Inc()
}

func (m *metrics) live(request *admissionv1.AdmissionRequest) {
	resource, _ := m.labels(request)
	m.liveReads.WithLabelValues(resource).Inc()
}

func (m *metrics) labels(request *admissionv1.AdmissionRequest) (resource, operation string) {
	const unknown = "unknown"
	if request == nil {
		return unknown, unknown
	}
	resource, operation = request.Resource.Resource, string(request.Operation)
	if !m.known[resource] {
		resource = unknown
	}
	switch request.Operation {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete:
	default:
		operation = unknown
	}
	return resource, operation
}
