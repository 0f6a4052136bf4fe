// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/cluster"
)

// BenchmarkCompanions compares how long the controllers take to apply the companions of many Services of one namespace, from the first Service
// on, with how long a bare client takes to create the same Services and objects, at the same concurrency and request rate, on the same API server. It reports both
// in seconds, the ratio, and how many requests a companion takes; the bare client works before and after the controllers, and the mean counts. Companions are held, so that no pods get in the way of the measurement: everything is applied but
// the workloads. Then it counts what is written in a minute of idling, with sweeps as in production, and tells what the heap holds.
//
//	make bench-companions
func BenchmarkCompanions(b *testing.B) {
	n := flag.Lookup("services").Value.(flag.Getter).Get().(int)
	for b.Loop() {
		created := newTally()
		bare, err := bareClient(b, created, n)
		if err != nil {
			b.Fatal(err)
		}
		ns, before := benchNamespace(b, nil), asked.now()
		ours, err := controllers(b, ns, n)
		if err != nil {
			b.Fatal(err)
		}
		applied := asked.now()
		// What there is already makes the API server slower: the bare client comes before and after.
		again, err := bareClient(b, newTally(), n)
		if err != nil {
			b.Fatal(err)
		}
		bare = (bare + again) / 2
		b.Logf("a bare client's requests for a companion:\n%s", perCompanion(n, nil, created.now()))
		b.Logf("the controllers' requests for a companion:\n%s", perCompanion(n, before, applied))
		b.ReportMetric(bare.Seconds(), "bare-s")
		b.ReportMetric(ours.Seconds(), "controllers-s")
		b.ReportMetric(ours.Seconds()/bare.Seconds(), "ratio")
		b.ReportMetric(float64(total(nil, created.now()))/float64(n), "bare-requests")
		b.ReportMetric(float64(total(before, applied))/float64(n), "controllers-requests")
		b.ReportMetric(heap(), "heap-MB")
		b.ReportMetric(float64(idle(b, ns)), "idle-writes")
	}
}

// BenchmarkRoll tells how long a new trust bundle takes to reach the companions of many Services, which run here, and how many roll in a
// second once the first have. It fails if they roll faster than they may.
func BenchmarkRoll(b *testing.B) {
	n := flag.Lookup("rolled").Value.(flag.Getter).Get().(int)
	for b.Loop() {
		ns := benchNamespace(b, map[string]string{mesh.LabelCoverage: "warn"})
		if _, err := controllers(b, ns, n); err != nil {
			b.Fatal(err)
		}
		for workloadsWith(b, ns, "").ready < n {
			time.Sleep(cluster.Poll)
		}
		original, set := trustBundle(b)
		anchors := original() + rootUntil(b, time.Now().Add(365*24*time.Hour))
		set(anchors)
		began, most, last := time.Now(), 0, 0
		for second := time.Now(); ; time.Sleep(cluster.Poll) {
			now := workloadsWith(b, ns, anchors).changed
			if now == n {
				break
			}
			if time.Since(second) >= time.Second {
				most, last, second = max(most, now-last), now, time.Now()
			}
		}
		took := time.Since(began)
		b.ReportMetric(took.Seconds(), "roll-s")
		b.ReportMetric(float64(most), "most-in-a-second")
		// 20 at once, then one each half a second (controller/rolls.go).
		if least := time.Duration(n-20) * 500 * time.Millisecond * 9 / 10; took < least {
			b.Errorf("%d companions rolled within %s, want %s at least", n, took, least)
		}
	}
}

// seen is what a look at a namespace's Deployments finds.
type seen struct{ changed, ready int }

// workloadsWith counts Deployments that have trust anchors, and those that are ready.
func workloadsWith(b *testing.B, ns, anchors string) seen {
	b.Helper()
	list := &appsv1.DeploymentList{}
	if err := shared.Client.List(b.Context(), list, client.InNamespace(ns)); err != nil {
		b.Fatal(err)
	}
	var s seen
	for i := range list.Items {
		d := &list.Items[i]
		if d.Status.ReadyReplicas >= 1 && d.Status.UpdatedReplicas == d.Status.Replicas {
			s.ready++
		}
		for _, e := range d.Spec.Template.Spec.Containers[0].Env {
			if e.Name == "DAPR_TRUST_ANCHORS" && e.Value == anchors {
				s.changed++
			}
		}
	}
	return s
}

// idle counts the controllers' writes of a minute in which nothing changes.
func idle(b *testing.B, ns string) int {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stopped, err := startControllers(ctx, shared.AdminConfig(), 30*time.Second)
	if err != nil {
		stop()
		b.Fatal(err)
	}
	// The first sweep of a process that has just started.
	for before, settled := -1, false; !settled; time.Sleep(5 * time.Second) {
		now := writes(b, ns)
		before, settled = now, now == before
	}
	before := writes(b, ns)
	time.Sleep(time.Minute)
	after := writes(b, ns)
	stop()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
	return after - before
}

// heap is what the controllers and their caches hold, and the test beside them, in MB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

var (
	_ = flag.Int("services", 100, "how many Services BenchmarkCompanions enrols")
	_ = flag.Int("rolled", 60, "how many companions BenchmarkRoll rolls")
)

func benchNamespace(b *testing.B, labels map[string]string) string {
	b.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-", Labels: labels}}
	if err := shared.Client.Create(b.Context(), ns); err != nil {
		b.Fatal(err)
	}
	return ns.Name
}

// bareClient creates n Services, as a user does, and for each the objects of its companion but the workload, eight companions at a time, as the
// controllers do. The objects are counted, and limited in their rate.
func bareClient(b *testing.B, count *tally, n int) (time.Duration, error) {
	ns := benchNamespace(b, nil)
	api := count.on(shared.AdminConfig())
	api.QPS, api.Burst = requestsPerSecond, requestsAtOnce
	c, err := client.New(api, client.Options{Scheme: shared.Client.Scheme()})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = eachOf(n, func(i int) error {
		name := fmt.Sprintf("app-%d", i)
		service := enrolled(ns, name)
		service.Labels, service.Annotations = nil, nil
		if err := shared.Client.Create(b.Context(), service); err != nil {
			return err
		}
		app := mesh.App{
			AppRef: mesh.AppRef{Namespace: ns, ID: name}, Service: name, Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true,
			Owner: mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: ns, Name: name}, UID: service.UID},
		}
		var errs []error
		for _, rendered := range companion.App(app, companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: "pem"}) {
			content, err := companion.Content(rendered)
			if err != nil {
				return err
			}
			// The controllers remove what looks like theirs and nobody asks for.
			labels := content.GetLabels()
			labels[mesh.LabelManagedBy] = "bench"
			content.SetLabels(labels)
			if !companion.IsWorkload(rendered) {
				errs = append(errs, c.Create(b.Context(), content))
			}
		}
		return errors.Join(errs...)
	})
	return time.Since(began), err
}

// controllers enrols n Services and waits until each has its objects, by its condition.
func controllers(b *testing.B, ns string, n int) (time.Duration, error) {
	began := time.Now()
	err := eachOf(n, func(i int) error { return shared.Client.Create(b.Context(), enrolled(ns, fmt.Sprintf("app-%d", i))) })
	if err != nil {
		return 0, err
	}
	// A look lists every Service.
	for ctx := b.Context(); ; time.Sleep(10 * cluster.Poll) {
		ready, err := reported(ctx, ns)
		if err != nil || ready == n {
			return time.Since(began), err
		}
	}
}

func reported(ctx context.Context, ns string) (int, error) {
	services := &corev1.ServiceList{}
	if err := shared.Client.List(ctx, services, client.InNamespace(ns), client.HasLabels{mesh.LabelAppID}); err != nil {
		return 0, err
	}
	n := 0
	for i := range services.Items {
		if meta.FindStatusCondition(services.Items[i].Status.Conditions, "Companion") != nil {
			n++
		}
	}
	return n, nil
}

// eachOf does n things, eight at a time.
func eachOf(n int, do func(int) error) error {
	var group sync.WaitGroup
	errs := make([]error, n)
	slots := make(chan struct{}, 8)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			errs[i] = do(i)
			<-slots
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
