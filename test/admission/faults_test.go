// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daprise/daprise/test/cluster"
)

// TestDeleteCollection: what one DELETE may not do, a deletecollection may not either.
func TestDeleteCollection(t *testing.T) {
	const ns = "collection"
	mesh(t, ns)
	out, err := shared.Kubectl(t.Context(), "delete", "--raw", "/apis/cilium.io/v2/namespaces/"+ns+"/ciliumnetworkpolicies")
	if err == nil || !strings.Contains(out.Stderr, "DPR101") {
		t.Fatalf("deletecollection of the policies was not refused: %v\n%s%s", err, out.Stdout, out.Stderr)
	}
	for _, name := range []string{"to-ingress", "to-whoami"} {
		if !exists(t, ns, "ciliumnetworkpolicy", name) {
			t.Errorf("CiliumNetworkPolicy %s is gone", name)
		}
	}
}

// TestNamespaceDeletion never hangs, whether daprise serves or not.
func TestNamespaceDeletion(t *testing.T) {
	for _, name := range []string{"up", "down"} {
		t.Run(name, func(t *testing.T) {
			ns := "gone-" + name
			mesh(t, ns)
			if name == "down" {
				if err := shared.StopServer(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { startServer(t) })
			}
			kubectl(t, "delete", "namespace", ns, "--wait=false")
			cluster.Eventually(t, func() error {
				if out := kubectl(t, "get", "namespace", ns, "--ignore-not-found", "-o", "name"); strings.TrimSpace(out) != "" {
					return fmt.Errorf("namespace %s is still there", ns)
				}
				return nil
			})
		})
	}
}

func startServer(t *testing.T) {
	t.Helper()
	// Not the test's context: that is done when cleanups run.
	if err := shared.StartServer(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestRestart: with daprise down the mesh serves and nothing half right is stored; when it is back, it goes on.
func TestRestart(t *testing.T) {
	const ns = "restart"
	mesh(t, ns)
	before := rules(t, ns, "whoami-route")
	if err := shared.KillServer(); err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(in(ns, route), "whoami-route", "other-route")
	refused(t, []string{"failed calling webhook"}, other)
	if after := rules(t, ns, "whoami-route"); before != after {
		t.Errorf("the route changed from\n%s\nto\n%s", before, after)
	}
	// Policies may always be written in an emergency.
	kubectl(t, "delete", "-n", ns, "ciliumnetworkpolicy", "to-whoami")
	startServer(t)
	// The gap that was opened meanwhile is found within a minute.
	back := time.Now()
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Covered=False NotIsolated") })
	cluster.Eventually(t, func() error {
		if out := kubectl(t, "get", "events", "-n", ns, "-o", `jsonpath={range .items[*]}{.involvedObject.kind} {.involvedObject.name} {.reason}{"\n"}{end}`); !strings.Contains(out, "Service whoami NotIsolated\n") {
			return fmt.Errorf("no Event tells of the gap:\n%s", out)
		}
		return nil
	})
	if took := time.Since(back); took > time.Minute {
		t.Errorf("the gap was told of after %s", took)
	}
	if !exists(t, ns, "deployment", "whoami-dapr") {
		t.Error("a companion that was started has been withdrawn")
	}
	apply(t, in(ns, policies))
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Covered=True Covered") })
	apply(t, other)
	if have := rules(t, ns, "other-route"); !strings.Contains(have, rewritten) {
		t.Errorf("not rewritten: %s", have)
	}
}

// TestUnannotatedNeverReachUs: writes of Services, Deployments and Gateways without a key of daprise are answered without a call.
func TestUnannotatedNeverReachUs(t *testing.T) {
	const ns = "plain"
	namespace(t, ns)
	apply(t, in(ns, plainService), strings.ReplaceAll(in(ns, gateway), `annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}`, `annotations: {other: "true"}`), in(ns, deployment))
	kubectl(t, "label", "-n", ns, "service/whoami", "deployment/whoami", "gateway/default-gateway", "some=label")
	// A write that does reach us, as the proof that calls are recorded.
	apply(t, strings.ReplaceAll(in(ns, service), "name: whoami", "name: enrolled"))

	calls := map[string]int{}
	cluster.Eventually(t, func() error {
		events, err := shared.AuditEvents()
		if err != nil {
			return err
		}
		calls = map[string]int{}
		for _, e := range events {
			if e.ObjectRef.Namespace != ns || e.ObjectRef.Subresource != "" {
				continue
			}
			switch e.ObjectRef.Resource {
			case "services", "deployments", "gateways":
			default:
				continue
			}
			key := e.Verb + " " + e.ObjectRef.Resource + "/" + e.ObjectRef.Name
			for annotation := range e.Annotations {
				if strings.Contains(annotation, "mutation.webhook.admission.k8s.io/round_") && strings.Contains(e.Annotations[annotation], "daprise.dev") {
					calls[key]++
				}
			}
			calls[key] += 0 // seen, if not called
		}
		if calls["create services/enrolled"] == 0 {
			return fmt.Errorf("the annotated write is not in the audit log yet: %v", calls)
		}
		return nil
	})
	for key, n := range calls {
		if key != "create services/enrolled" && n > 0 {
			t.Errorf("%s reached daprise", key)
		}
	}
	if _, ok := calls["create services/whoami"]; !ok {
		t.Errorf("the audit log has no creation of the Service: %v", calls)
	}
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: whoami, namespace: NAMESPACE}
spec:
  replicas: 1
  selector: {matchLabels: {app: whoami}}
  template:
    metadata: {labels: {app: whoami}}
    spec:
      containers: [{name: whoami, image: "daprise.example/whoami:1", ports: [{containerPort: 8080}]}]
`
