// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

// TestRolloutUndo: kubectl rollout undo brings back the annotations of the former revision and with them an enrolment. It is admitted like any
// other and the companion follows, or it is refused if it does not stand any more.
func TestRolloutUndo(t *testing.T) {
	const ns = "undone"
	namespace(t, ns, "daprise.dev/policies=generate")
	labelled := func() string { return object(t, ns, "deployment", "whoami").GetLabels()["daprise.dev/app-id"] }
	first := strings.Replace(in(ns, deployment), "metadata: {name: whoami,", `metadata: {annotations: {daprise.dev/enabled: "true", dapr.io/app-id: hello}, name: whoami,`, 1)
	if first == in(ns, deployment) {
		t.Fatal("the Deployment is not annotated")
	}
	apply(t, in(ns, plainService), first)
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Companion=True Ready") })
	kubectl(t, "rollout", "status", "-n", ns, "deployment/whoami", "--timeout=2m")

	// The next revision leaves the mesh.
	apply(t, strings.Replace(in(ns, deployment), "whoami:1", "whoami:2", 1))
	if id := labelled(); id != "" {
		t.Errorf("left, and still labelled %q", id)
	}
	cluster.Eventually(t, func() error { return gone(t, ns) })
	kubectl(t, "rollout", "status", "-n", ns, "deployment/whoami", "--timeout=2m")

	kubectl(t, "rollout", "undo", "-n", ns, "deployment/whoami")
	if id := labelled(); id != "hello" {
		t.Errorf("undone, and labelled %q, want hello", id)
	}
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Companion=True Ready") })
	if !exists(t, ns, "deployment", "hello-dapr") {
		t.Error("the companion is not back")
	}

	// Forward again; meanwhile another takes the app ID.
	kubectl(t, "rollout", "undo", "-n", ns, "deployment/whoami")
	cluster.Eventually(t, func() error { return gone(t, ns) })
	other := strings.NewReplacer("name: whoami", "name: other", `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "true", dapr.io/app-id: hello`, "app: whoami", "app: other").Replace(in(ns, service))
	apply(t, other)
	kubectl(t, "rollout", "status", "-n", ns, "deployment/whoami", "--timeout=2m")
	out, err := shared.Kubectl(t.Context(), "rollout", "undo", "-n", ns, "deployment/whoami")
	if err == nil || !strings.Contains(out.Stderr, "DPR304") {
		t.Errorf("an enrolment that does not stand any more is brought back: %v\n%s", err, fmt.Sprint(out.Stdout, out.Stderr))
	}
}
