// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
)

const (
	// loadRate is how many admissions a second are asked for: each write is one of mutation and one of validation.
	loadRate    = 200
	loadWorkers = 16
)

// load writes an enrolled Service again and again, as dry runs, so that nothing but admission is kept busy.
type load struct {
	began, ended time.Time
	cancel       context.CancelFunc
	workers      sync.WaitGroup

	mu       sync.Mutex
	calls    int
	failures []error
	reached  func(calls int)
}

func startLoad(t *testing.T, ns string) *load {
	t.Helper()
	config := shared.AdminConfig()
	config.QPS = -1
	scheme, err := cluster.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{began: time.Now(), cancel: cancel}
	limit := flowcontrol.NewTokenBucketRateLimiter(loadRate/2, loadWorkers)
	for range loadWorkers {
		l.workers.Go(func() {
			for limit.Wait(ctx) == nil {
				l.write(ctx, api, ns)
			}
		})
	}
	t.Cleanup(func() { l.stop() })
	return l
}

func (l *load) write(ctx context.Context, api client.Client, ns string) {
	object := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "whoami"}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/at":"%d"}}}`, time.Now().UnixNano())
	// A call that is on its way when the load stops is finished.
	err := api.Patch(context.WithoutCancel(ctx), object, client.RawPatch(types.MergePatchType, patch), client.DryRunAll)
	l.mu.Lock()
	defer l.mu.Unlock()
	// Mutation and validation.
	l.calls += 2
	if err != nil {
		l.failures = append(l.failures, err)
	}
	if l.reached != nil {
		l.reached(l.calls)
	}
}

// await returns after at least so many admissions.
func (l *load) await(calls int) {
	done := make(chan struct{})
	var once sync.Once
	l.mu.Lock()
	l.reached = func(have int) {
		if have >= calls {
			once.Do(func() { close(done) })
		}
	}
	l.mu.Unlock()
	<-done
}

// sofar is how many admissions were asked for.
func (l *load) sofar() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// stop ends the load and tells what became of it.
func (l *load) stop() (calls int, failures []error) {
	l.cancel()
	l.workers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended.IsZero() {
		l.ended = time.Now()
	}
	return l.calls, l.failures
}

// took is how long the load lasted.
func (l *load) took() time.Duration { return l.ended.Sub(l.began) }
