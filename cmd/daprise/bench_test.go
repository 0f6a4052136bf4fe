// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyApps are n apps in namespaces of 50, each with a Service, a Deployment, a ServiceAccount, a ConfigMap, a route, two policies and an
// autoscaler: eight documents.
func manyApps(n int) string {
	const each = 50
	var b strings.Builder
	b.WriteString(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gw
  namespace: infra
  annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress, daprise.dev/invoke: header}
spec:
  gatewayClassName: cilium
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: gw, namespace: infra}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
`)
	for i := range n {
		if i%each == 0 {
			b.WriteString(strings.ReplaceAll(teamDocuments, "TEAM", fmt.Sprintf("team-%d", i/each)))
		}
		b.WriteString(strings.NewReplacer("APP", fmt.Sprintf("app-%d", i), "TEAM", fmt.Sprintf("team-%d", i/each)).Replace(appDocuments))
	}
	return b.String()
}

const teamDocuments = `---
apiVersion: v1
kind: Namespace
metadata: {name: TEAM}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: TEAM, namespace: infra}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: TEAM}]
  to: [{group: "", kind: Service}]
`

const appDocuments = `---
# The app APP.
apiVersion: v1
kind: Service
metadata:
  name: APP
  namespace: TEAM
  labels: {app: APP}
  annotations:
    daprise.dev/enabled: "true"
spec:
  selector:
    app: APP
  ports:
  - name: http
    port: 80
    targetPort: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: APP
  namespace: TEAM
spec:
  replicas: 2
  selector:
    matchLabels:
      app: APP
  template:
    metadata:
      labels:
        app: APP
    spec:
      serviceAccountName: APP
      containers:
      - name: app
        image: example.com/APP:1
        ports:
        - containerPort: 8080
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: APP
  namespace: TEAM
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: APP
  namespace: TEAM
data:
  settings.yaml: |
    level: info
    # more
    size: 12
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: APP
  namespace: TEAM
spec:
  parentRefs:
  - name: gw
    namespace: infra
  hostnames: [APP.TEAM.example.com]
  rules:
  - matches:
    - path: {type: PathPrefix, value: /}
    backendRefs:
    - name: APP
      port: 80
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: APP-companion
  namespace: TEAM
spec:
  endpointSelector:
    matchLabels:
      dapr.io/app-id: APP
  ingress:
  - fromEndpoints:
    - matchLabels:
        dapr.io/app-id: ingress
        io.kubernetes.pod.namespace: infra
    toPorts:
    - ports:
      - {port: "50002", protocol: TCP}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: APP
  namespace: TEAM
spec:
  endpointSelector:
    matchLabels:
      app: APP
  ingress:
  - fromEndpoints:
    - matchLabels:
        dapr.io/app-id: APP
    toPorts:
    - ports:
      - {port: "8080", protocol: TCP}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: APP
  namespace: TEAM
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: APP}
  minReplicas: 2
  maxReplicas: 4
`

// BenchmarkAnalyze judges 1,000 apps: about 8,000 documents.
func BenchmarkAnalyze(b *testing.B) { benchmark(b, written(b, 1000), "analyze") }

// BenchmarkInject rewrites 1,000 apps and adds their companions.
func BenchmarkInject(b *testing.B) { benchmark(b, written(b, 1000), "inject") }

// BenchmarkTrace judges 10,000 flows over 1,000 policies.
func BenchmarkTrace(b *testing.B) {
	flows := filepath.Join(b.TempDir(), "flows.jsonl")
	write(b, flows, func(out io.Writer) {
		for i := range 10000 {
			_, _ = fmt.Fprintf(out, `{"from":{"namespace":"infra","labels":{"dapr.io/app-id":"ingress"}},"to":{"namespace":"team-%d","labels":{"dapr.io/app-id":"app-%d"}},"port":50002}`+"\n", i%500/50, i%500)
		}
	})
	benchmark(b, written(b, 500), "trace", "--flows", flows)
}

// BenchmarkGraph draws 500 apps as a page.
func BenchmarkGraph(b *testing.B) { benchmark(b, written(b, 500), "graph", "-o", "html") }

// BenchmarkLargeFile analyzes 100 MB: a cluster's ConfigMaps, of 50 KB each, around 100 apps.
func BenchmarkLargeFile(b *testing.B) {
	file := filepath.Join(b.TempDir(), "large.yaml")
	write(b, file, func(out io.Writer) {
		_, _ = io.WriteString(out, manyApps(100))
		text := strings.Repeat("    "+strings.Repeat("x", 95)+"\n", 500)
		for i := range 100 << 20 / len(text) {
			_, _ = fmt.Fprintf(out, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: data-%d, namespace: team-0}\ndata:\n  text: |\n%s", i, text)
		}
	})
	benchmark(b, file, "analyze")
}

// written is a file of n apps.
func written(b *testing.B, n int) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "apps.yaml")
	write(b, file, func(out io.Writer) { _, _ = io.WriteString(out, manyApps(n)) })
	return file
}

// write writes a file; errors come with its end.
func write(b testing.TB, name string, content func(io.Writer)) {
	b.Helper()
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(file)
	content(out)
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		b.Fatal(err)
	}
}

// benchmark runs a command line on a file. Beside the time it reports processor time, which other work on the machine changes less, and the
// most memory that the process ever had: of the first benchmark that is run.
func benchmark(b *testing.B, file string, args ...string) {
	b.Helper()
	collectLess()
	before := usage(b)
	for b.Loop() {
		var errs bytes.Buffer
		if status := run(context.Background(), append(args, "-f", file), streams{nil, io.Discard, &errs}); status != 0 {
			b.Fatalf("exit status %d:\n%s", status, errs.String())
		}
	}
	after := usage(b)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(after.Maxrss)/1024, "peak-MB")
}

func usage(b *testing.B) syscall.Rusage {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}
