// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

// open lets every pod of the namespace reach the app's companion.
const open = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: too-broad, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`

// TestModes: what a route without policies meets in each mode of its namespace.
func TestModes(t *testing.T) {
	for _, test := range []struct{ mode, warning string }{
		{"audit", ""},
		{"warn", "DPR101"},
		{"enforce", ""},
		{"nonsense", ""},
	} {
		t.Run(test.mode, func(t *testing.T) {
			ns := "mode-" + test.mode
			namespace(t, ns, "daprise.dev/coverage="+test.mode)
			apply(t, in(ns, gateway), in(ns, service))
			if test.mode == "enforce" || test.mode == "nonsense" {
				refused(t, []string{"HTTPRoute " + ns + "/whoami-route refused", "DPR101"}, in(ns, route))
				return
			}
			out := apply(t, in(ns, route))
			if got := strings.Contains(out, "Warning:"); got != (test.warning != "") || !strings.Contains(out, test.warning) {
				t.Errorf("mode %s answered:\n%s", test.mode, out)
			}
			// Nothing is held in these modes: the companions come up though they are open.
			ready(t, ns)
		})
	}
	t.Run("strict", func(t *testing.T) {
		const ns = "mode-strict"
		namespace(t, ns, "daprise.dev/coverage=strict")
		refused(t, []string{"Service " + ns + "/whoami refused", "DPR101"}, in(ns, service))
		apply(t, in(ns, policies), in(ns, gateway), in(ns, service))
		ready(t, ns)
		apply(t, in(ns, route))
		have := rules(t, ns, "whoami-route")
		if strings.Contains(have, rewritten) || !strings.Contains(have, "whoami."+ns) {
			t.Errorf("a strict namespace wants the header form, stored is %s", have)
		}
	})
}

// TestPolicyWrites: what opens a live companion is refused, what closes it is admitted, what was open before is nobody's fault.
func TestPolicyWrites(t *testing.T) {
	const ns = "writes"
	mesh(t, ns)
	refused(t, []string{"CiliumNetworkPolicy " + ns + "/too-broad refused", "DPR103"}, in(ns, open))
	refused(t, []string{"DPR10"}, strings.ReplaceAll(in(ns, policies), "fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]", "fromEndpoints: [{}]"))
	if out := apply(t, strings.ReplaceAll(in(ns, policies), "fromEntities: [ingress]", "fromEntities: [none]")); !strings.Contains(out, "DPR109") {
		t.Errorf("a policy that only closes was admitted without its warning:\n%s", out)
	}
	kubectl(t, "label", "namespace", ns, "daprise.dev/coverage=audit")
	apply(t, in(ns, open))
	kubectl(t, "label", "namespace", ns, "daprise.dev/coverage=enforce", "--overwrite")
	// The opening stands already: a write that has nothing to do with it is admitted.
	apply(t, strings.ReplaceAll(strings.ReplaceAll(in(ns, open), "too-broad", "elsewhere"), "app-id: whoami", "app-id: unrelated"))
}

// TestGenerate: in a namespace labelled so, daprise writes the companions' isolation itself.
func TestGenerate(t *testing.T) {
	const ns = "generate"
	namespace(t, ns, "daprise.dev/policies=generate")
	apply(t, in(ns, gateway), in(ns, service))
	ready(t, ns)
	apply(t, in(ns, route))
	settled(t, ns)
	kubectl(t, "annotate", "-n", ns, "service/whoami", "gateway/default-gateway", "daprise.dev/enabled-")
	cluster.Eventually(t, func() error { return gone(t, ns) })
}
