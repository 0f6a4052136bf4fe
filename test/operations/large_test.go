// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"fmt"
	"strings"
	"testing"
)

const bigDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: big, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", dapr.io/app-port: "8080"}}
spec:
  selector: {matchLabels: {app: big}}
  template:
    metadata: {labels: {app: big}}
    spec:
      containers:
      - name: big
        image: example.com/big:1
        ports: [{containerPort: 8080}]
        env: [{name: BIG, value: %s}]
`

const bigService = `apiVersion: v1
kind: Service
metadata: {name: big, namespace: NAMESPACE}
spec: {selector: {app: big}, ports: [{port: 80, targetPort: 8080}]}
`

// largeObjects: what is as large as the API server takes is decided on as anything else. etcd stores 1.5 MiB; of requests the API server reads 3 MiB, so that
// a dry run goes further, and daprise then gets old and new object in one review.
func largeObjects(t *testing.T) {
	const ns = "large"
	r := startReplica(t)
	enrol(t, ns)
	// Applied on the server's side: the annotation of the other kind could not hold it.
	written := func(bytes int, args ...string) (string, error) {
		out, err := shared.KubectlIn(t.Context(), fmt.Appendf(nil, in(ns, bigDeployment), strings.Repeat("x", bytes)), append([]string{"apply", "--server-side", "-f", "-"}, args...)...)
		return out.Stdout + out.Stderr, err
	}
	apply(t, in(ns, bigService))
	if text, err := written(1_200_000); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if id := field(t, `.metadata.labels.daprise\.dev/app-id`, "deployment", "-n", ns, "big"); id != "big" {
		t.Errorf("app ID %q", id)
	}
	if text, err := written(2_900_000, "--dry-run=server"); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	// A refusal of one is a refusal, not an error.
	out, err := shared.KubectlIn(t.Context(), fmt.Appendf(nil, strings.ReplaceAll(in(ns, bigDeployment), "daprise.dev/enabled", "daprise.dev/enable"), strings.Repeat("x", 2_900_000)),
		"apply", "--server-side", "--dry-run=server", "-f", "-")
	if text := out.Stdout + out.Stderr; err == nil || !strings.Contains(text, "[DPR301]") {
		t.Errorf("want DPR301, got %v\n%.2000s", err, text)
	}
	if err := r.program.Running(); err != nil {
		t.Error(err)
	}
}
