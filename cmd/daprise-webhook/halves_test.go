// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// TestHalves: what says that it needs no election runs on every replica; what says nothing, or that it does, on the leader.
func TestHalves(t *testing.T) {
	every, leading := &noting{}, &noting{}
	h := &halves{Manager: every, leading: leading}
	for _, one := range []manager.Runnable{elected{"a controller", true}, elected{"a cache", false}, unsaid("a pass")} {
		if err := h.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a cache"}, every.added); diff != "" {
		t.Errorf("every replica (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a controller", "a pass"}, leading.added); diff != "" {
		t.Errorf("the leader (-want +got):\n%s", diff)
	}
}

// noting is a manager that notes what is added to it.
type noting struct {
	ctrl.Manager
	added []string
}

func (n *noting) Add(runnable manager.Runnable) error {
	n.added = append(n.added, runnable.(interface{ String() string }).String())
	return nil
}

type elected struct {
	name  string
	needs bool
}

func (elected) Start(context.Context) error { return nil }
func (e elected) NeedLeaderElection() bool  { return e.needs }
func (e elected) String() string            { return e.name }

type unsaid string

func (unsaid) Start(context.Context) error { return nil }
func (u unsaid) String() string            { return string(u) }

// TestLeadersGauges: once it leads no more, a replica tells nothing of what its successor tells.
func TestLeadersGauges(t *testing.T) {
	registry := prometheus.NewRegistry()
	gauges := &leadersGauges{Registerer: registry}
	told := func() int {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return len(families)
	}
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "companions"})
	if err := gauges.Register(gauge); err != nil {
		t.Fatal(err)
	}
	if err := gauges.Register(gauge); err == nil {
		t.Error("registered twice")
	}
	before := told()
	gauges.drop()
	if after := told(); before != 1 || after != 0 {
		t.Errorf("%d gauges while leading, %d afterwards", before, after)
	}
}
