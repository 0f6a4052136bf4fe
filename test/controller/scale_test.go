// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/cluster"
)

// BenchmarkCompanions compares how long the controllers take to apply the companions of many Services of one namespace with how long a
// bare client takes to create the same objects, at the same concurrency and request rate, on the same API server. It reports both
// in seconds and the ratio. Companions are held, so that no pods get in the way of the measurement: everything is applied but
// the workloads.
//
//	go test ./test/controller -run '^$' -bench Companions -benchtime 1x -services 1000
func BenchmarkCompanions(b *testing.B) {
	n := flag.Lookup("services").Value.(flag.Getter).Get().(int)
	for b.Loop() {
		bare, err := bareClient(b, n)
		if err != nil {
			b.Fatal(err)
		}
		ours, err := controllers(b, n)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(bare.Seconds(), "bare-s")
		b.ReportMetric(ours.Seconds(), "controllers-s")
		b.ReportMetric(ours.Seconds()/bare.Seconds(), "ratio")
	}
}

var _ = flag.Int("services", 100, "how many Services BenchmarkCompanions enrols")

func benchNamespace(b *testing.B) string {
	b.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	if err := shared.Client.Create(b.Context(), ns); err != nil {
		b.Fatal(err)
	}
	return ns.Name
}

// bareClient creates the objects of n companions but the workloads, eight companions at a time, as the controllers do.
func bareClient(b *testing.B, n int) (time.Duration, error) {
	ns := benchNamespace(b)
	api := shared.AdminConfig()
	api.QPS, api.Burst = requestsPerSecond, requestsAtOnce
	c, err := client.New(api, client.Options{Scheme: shared.Client.Scheme()})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = eachOf(n, func(i int) error {
		name := fmt.Sprintf("app-%d", i)
		app := mesh.App{
			AppRef: mesh.AppRef{Namespace: ns, ID: name}, Service: name, Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true,
			Owner: mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: ns, Name: name}, UID: "none"},
		}
		var errs []error
		for _, rendered := range companion.App(app, companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: "pem"}) {
			content, err := companion.Content(rendered)
			if err != nil {
				return err
			}
			content.SetOwnerReferences(nil)
			if !companion.IsWorkload(rendered) {
				errs = append(errs, c.Create(b.Context(), content))
			}
		}
		return errors.Join(errs...)
	})
	return time.Since(began), err
}

// controllers enrols n Services and waits until each has its objects, by its condition.
func controllers(b *testing.B, n int) (time.Duration, error) {
	ns := benchNamespace(b)
	began := time.Now()
	err := eachOf(n, func(i int) error { return shared.Client.Create(b.Context(), enrolled(ns, fmt.Sprintf("app-%d", i))) })
	if err != nil {
		return 0, err
	}
	for ctx := b.Context(); ; time.Sleep(cluster.Poll) {
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
