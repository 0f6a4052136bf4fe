// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
	"time"
)

// limit is what a call may cost. Allocations and bytes hardly differ between runs and machines; they may grow by a sixth before somebody has to
// look. The ratio of times is against the handler that allows everything, by turns in one run; it may double, so that no load of the machine
// fails it.
type limit struct {
	allocations float64
	bytes       int64
	ratio       float64
}

func limits() map[string]limit {
	return map[string]limit{
		"mutate":        {allocations: 225, bytes: 28_000, ratio: 3},
		"validate":      {allocations: 175, bytes: 25_000, ratio: 3},
		"validate anew": {allocations: 360, bytes: 43_000, ratio: 4},
	}
}

// TestGate fails where a call has become dearer than limits says. A change that is worth it moves the limit, and docs/performance.md.
func TestGate(t *testing.T) {
	cases := handlerCases(t)
	var base handlerCase
	for _, c := range cases {
		limit, ok := limits()[c.name]
		if !ok {
			base = c
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(200, func() { c.call(t) }); got > limit.allocations {
				t.Errorf("%.0f allocations, %.0f at most", got, limit.allocations)
			}
			measured := testing.Benchmark(func(b *testing.B) {
				for b.Loop() {
					c.call(b)
				}
			})
			if got := measured.AllocedBytesPerOp(); got > limit.bytes {
				t.Errorf("%d bytes, %d at most", got, limit.bytes)
			}
			got := ratio(t, c, base)
			t.Logf("%d bytes, %.2f times the handler that allows everything", measured.AllocedBytesPerOp(), got)
			if got > limit.ratio {
				t.Errorf("%.2f times the handler that allows everything, %.0f at most", got, limit.ratio)
			}
		})
	}
}

// ratio compares two cases by turns, by the least time that a turn of each took: what else the machine does only adds to it.
func ratio(t *testing.T, c, base handlerCase) float64 {
	t.Helper()
	const turns, calls = 25, 40
	var took [2][]time.Duration
	for range turns {
		for i, one := range []handlerCase{c, base} {
			began := time.Now()
			for range calls {
				one.call(t)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	return float64(slices.Min(took[0])) / float64(slices.Min(took[1]))
}
