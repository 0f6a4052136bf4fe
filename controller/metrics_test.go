// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestTrustBundleExpiry: nothing is told before somebody has looked; then how long the bundle lasts, and 0 where it is of no use.
func TestTrustBundleExpiry(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	m.now = func() time.Time { return now }
	expiry := func() (float64, bool) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "daprise_trust_bundle_expiry_seconds" {
				return f.GetMetric()[0].GetGauge().GetValue(), true
			}
		}
		return 0, false
	}
	if got, told := expiry(); told {
		t.Errorf("before anybody has looked: %v", got)
	}
	for _, tt := range []struct {
		name  string
		trust trust
		want  float64
	}{
		{"a good bundle", trust{anchors: "pem", expires: now.Add(time.Hour)}, 3600},
		{"one that has expired since", trust{anchors: "pem", expires: now.Add(-time.Hour)}, 0},
		{"none", trust{problem: "not found"}, 0},
	} {
		m.trust(tt.trust)
		if got, told := expiry(); !told || got != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, told)
		}
	}
}
