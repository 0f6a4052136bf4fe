// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// A load that has begun is never shared with who comes later: it may not have seen their last write.
func TestFlightsShareOnlyTheNextLoad(t *testing.T) {
	f := newFlights[policy.World]()
	var loads atomic.Int32
	begun, release := make(chan struct{}), make(chan struct{})
	load := func(context.Context) (policy.World, error) {
		n := loads.Add(1)
		if n == 1 {
			close(begun)
			<-release
		}
		return policy.World{View: &mesh.View{Missing: []string{strconv.Itoa(int(n))}}}, nil
	}
	var group sync.WaitGroup
	results := make([]string, 5)
	ask := func(i int) {
		world, err := f.do(t.Context(), "key", load)
		if err != nil {
			t.Error(err)
			return
		}
		results[i] = world.View.Missing[0]
	}
	group.Go(func() { ask(0) })
	<-begun
	for i := 1; i < len(results); i++ {
		f.join(t.Context(), "key", load)
		group.Go(func() { ask(i) })
	}
	close(release)
	group.Wait()
	if results[0] != "1" {
		t.Errorf("the first caller got load %s", results[0])
	}
	for i, got := range results[1:] {
		if got == "1" {
			t.Errorf("caller %d shares a load that had begun before it asked", i+1)
		}
	}
	// The key goes a moment after its last load was told.
	for deadline := time.Now().Add(10 * time.Second); keysOf(f) != 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d keys are left", keysOf(f))
		}
	}
}

func keysOf(f *flights[policy.World]) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.keys)
}

func TestFlightsDoNotMixKeysNorHideErrors(t *testing.T) {
	f := newFlights[policy.World]()
	broken := errors.New("broken")
	if _, err := f.do(t.Context(), "a", func(context.Context) (policy.World, error) { return policy.World{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := f.do(t.Context(), "b", func(context.Context) (policy.World, error) { return policy.World{}, nil }); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestACallerWhoGivesUpIsNotKept(t *testing.T) {
	f := newFlights[policy.World]()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	cancel()
	_, err := f.do(ctx, "key", func(context.Context) (policy.World, error) {
		<-release
		return policy.World{}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
