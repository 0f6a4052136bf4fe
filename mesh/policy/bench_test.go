// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh/policy"
)

// BenchmarkApp judges the scenario among policies that select something else: the time must not grow with their number.
func BenchmarkApp(b *testing.B) {
	for _, others := range []int{10, 10000} {
		b.Run(fmt.Sprintf("%d other policies", others), func(b *testing.B) {
			policies := []*policy.Policy{compile(b, allowIngressToWhoami), compile(b, allowGatewayToIngress)}
			for i := range others {
				policies = append(policies, compile(b, other(i)))
			}
			view, set := world(), policy.NewSet(policies...)
			b.ReportAllocs()
			for b.Loop() {
				policy.App(view, set, view.Apps[0])
			}
		})
	}
}

// BenchmarkCompile compiles one policy, decoded before.
func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, allowIngressToWhoami)
	}
}

func other(i int) string {
	doc := strings.Replace(allowIngressToWhoami, "allow-ingress-shared-to-whoami", fmt.Sprintf("other-%d", i), 1)
	return strings.Replace(doc, "app-id: whoami", fmt.Sprintf("app-id: other-%d", i), 1)
}
