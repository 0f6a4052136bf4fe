// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: whoever uses up the turns of one namespace waits, and others do not; many namespaces have no more than all turns.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		// atOnce is how many loads begin before the next would have to wait.
		atOnce := func(namespace string) int {
			soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			begun := 0
			for turns.wait(soon, namespace) == nil {
				begun++
			}
			return begun
		}
		if got := atOnce("flood"); got != ownLoadsAtOnce {
			t.Errorf("%d loads at once for one namespace, want %d", got, ownLoadsAtOnce)
		}
		if err := turns.wait(t.Context(), "other"); err != nil {
			t.Errorf("another namespace: %v", err)
		}
		if err := turns.wait(t.Context(), ""); err != nil {
			t.Errorf("an object of no namespace: %v", err)
		}
		rest := 0
		for i := range liveLoadsAtOnce {
			rest += atOnce(fmt.Sprint(i))
		}
		if want := liveLoadsAtOnce - ownLoadsAtOnce - 2; rest != want {
			t.Errorf("%d loads at once for many namespaces, want the %d that are left", rest, want)
		}
		began := time.Now()
		for range 10 {
			if err := turns.wait(t.Context(), "flood"); err != nil {
				t.Fatal(err)
			}
		}
		if took, want := time.Since(began), 10*time.Second/ownLoadsPerSecond; took != want {
			t.Errorf("ten more of one namespace took %s, want %s", took, want)
		}
		time.Sleep(turnsKept + time.Second)
		turns.of("later")
		if len(turns.own) != 1 {
			t.Errorf("%d namespaces are remembered, want the last alone", len(turns.own))
		}
	})
}
