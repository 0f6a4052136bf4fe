// SPDX-License-Identifier: Apache-2.0

//go:build linux

package enforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// period is how long a change of labels or policies may take to be noticed
// where nobody asks for it.
const period = 500 * time.Millisecond

// Options say what to enforce and where.
type Options struct {
	Client client.Client
	// Program is hack/datapath/verdicts.
	Program string
	Node    netip.Addr
	Pods    netip.Prefix
	// IsGateway says which Pods play Cilium's Envoy.
	IsGateway func(*corev1.Pod) bool
	Log       io.Writer
}

// Enforcer keeps the rules of the node up to date.
type Enforcer struct {
	options  Options
	verdicts *verdicts

	mu sync.Mutex
	// addresses are given by the kubelet, before the API knows of them.
	addresses map[types.UID]*place
	rules     string
	started   time.Time // of the last completed Sync

	errMu sync.Mutex
	err   error
}

// place is a Pod and where it is.
type place struct {
	pod     *corev1.Pod
	address netip.Addr
}

// Start begins to enforce, and goes on until ctx ends.
func Start(ctx context.Context, options Options) (*Enforcer, error) {
	v, err := startVerdicts(ctx, options.Program, options.Log)
	if err != nil {
		return nil, fmt.Errorf("enforce: %w", err)
	}
	e := &Enforcer{options: options, verdicts: v, addresses: map[types.UID]*place{}}
	if err := e.Sync(ctx); err != nil {
		return nil, fmt.Errorf("enforce: %w", err)
	}
	go e.run(ctx)
	return e, nil
}

// run keeps up with the API server. Where it is down, the last rules stay, as
// with Cilium.
func (e *Enforcer) run(ctx context.Context) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.Sync(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errAPI) {
			e.errMu.Lock()
			e.err = err
			e.errMu.Unlock()
			_, _ = fmt.Fprintf(e.options.Log, "enforce: %v\n", err)
		}
	}
}

// Err tells of what could not be enforced.
func (e *Enforcer) Err() error {
	e.errMu.Lock()
	defer e.errMu.Unlock()
	return e.err
}

// Add is called for a Pod that got its address and runs nothing yet; when it
// returns, the policies are in force for it.
func (e *Enforcer) Add(ctx context.Context, pod *corev1.Pod, address netip.Addr) error {
	e.mu.Lock()
	e.addresses[pod.UID] = &place{pod: pod, address: address}
	e.mu.Unlock()
	return e.Sync(ctx)
}

// Remove forgets a Pod.
func (e *Enforcer) Remove(pod *corev1.Pod) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.addresses, pod.UID)
}

// Sync returns when everything that the API server had when it was called is in
// force.
func (e *Enforcer) Sync(ctx context.Context) error {
	asked := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started.After(asked) {
		return nil // somebody else's Sync began later and is done
	}
	began := time.Now()
	w, err := e.read(ctx)
	if err != nil {
		return errors.Join(errAPI, err)
	}
	rules, err := e.render(w)
	if err != nil {
		return err
	}
	if rules != e.rules {
		if err := load(ctx, rules); err != nil {
			return err
		}
		e.rules = rules
	}
	e.started = began
	return nil
}
