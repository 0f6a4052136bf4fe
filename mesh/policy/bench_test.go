// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"

	"github.com/daprise/daprise/mesh/policy"
)

// BenchmarkRoute checks the coverage of a route's two companions among policies that do not select them: the time must not grow with
// their number. It checks among 10 and among 10,000 by turns and tells the ratio of the medians, so that what else the machine does
// slows both alike.
func BenchmarkRoute(b *testing.B) {
	few, many := among(b, 10), among(b, 10000)
	view := world(whoamiPods)
	var times [2][]time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for i, set := range []*policy.Set{few, many} {
			began := time.Now()
			if len(found(view, set)) > 0 {
				b.Fatal("not covered")
			}
			times[i] = append(times[i], time.Since(began))
		}
	}
	b.ReportMetric(float64(median(times[0]).Microseconds()), "µs-among-10")
	b.ReportMetric(float64(median(times[1]).Microseconds()), "µs-among-10000")
	b.ReportMetric(float64(median(times[1]))/float64(median(times[0])), "ratio")
}

// among is a set of the scenario's policies and others.
func among(b *testing.B, others int) *policy.Set {
	b.Helper()
	policies := []*policy.Policy{compile(b, allowIngressToWhoami), compile(b, allowGatewayToIngress)}
	for i := range others {
		policies = append(policies, compile(b, other(i)))
	}
	return policy.NewSet(policies...)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// BenchmarkCompile compiles 10,000 policies, decoded before, and tells what they hold in memory.
func BenchmarkCompile(b *testing.B) {
	objects := make([]*ciliumv2.CiliumNetworkPolicy, 10000)
	for i := range objects {
		objects[i] = &ciliumv2.CiliumNetworkPolicy{}
		decode(b, other(i), objects[i])
		objects[i].Name = fmt.Sprintf("other-%d", i)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var set *policy.Set
	b.ReportAllocs()
	for b.Loop() {
		compiled := make([]*policy.Policy, 0, len(objects))
		for _, object := range objects {
			compiled = append(compiled, policy.CompileCNP(object))
		}
		set = policy.NewSet(compiled...)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "MB-held")
	runtime.KeepAlive(set)
	runtime.KeepAlive(objects)
}

// other is a policy for others, by one label, by several values, by a label's presence, or clusterwide by namespace.
func other(i int) string {
	doc := strings.Replace(allowIngressToWhoami, "allow-ingress-shared-to-whoami", fmt.Sprintf("other-%d", i), 1)
	subject := fmt.Sprintf("{matchLabels: {dapr.io/app-id: other-%d}}", i)
	switch i % 4 {
	case 1:
		subject = fmt.Sprintf("{matchExpressions: [{key: app, operator: In, values: [a-%d, b-%d]}]}", i, i)
	case 2:
		subject = fmt.Sprintf("{matchExpressions: [{key: team-%d, operator: Exists}]}", i)
	case 3:
		doc = strings.NewReplacer("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", ", namespace: default", "").Replace(doc)
		subject = fmt.Sprintf("{matchLabels: {io.kubernetes.pod.namespace: other-%d}}", i)
	}
	return strings.Replace(doc, "{matchLabels: {dapr.io/app-id: whoami}}", subject, 1)
}
