// SPDX-License-Identifier: Apache-2.0

//go:build e2e && bench && linux

package datapath

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	connections = 16
	rounds      = 3
	roundTime   = 5 * time.Second
	payload     = 1 << 10
)

// layout is a way from a client to the app.
type layout struct {
	name string
	from *corev1.Pod // nil: from the node
	url  string
	// daprds are the pods whose daprd is on the way.
	daprds []*corev1.Pod

	latencies []time.Duration
	elapsed   time.Duration
}

// TestBench prints a table: through both companions, and through two sidecars,
// against the app itself, in turns within one run.
func TestBench(t *testing.T) {
	theWorld(t)
	echo(t)
	layouts := []*layout{direct(t), companions(t), sidecars(t)}
	for _, l := range layouts {
		l.run(t, time.Second) // connections, caches
		l.latencies, l.elapsed = nil, 0
	}
	for range rounds {
		for _, l := range layouts {
			l.run(t, roundTime)
		}
	}
	out := os.Stdout
	_, _ = fmt.Fprintf(out, "\n%d connections, POST of %d bytes answered with %d, %d rounds of %s each in turns\n\n", connections, payload, payload, rounds, roundTime)
	_, _ = fmt.Fprintf(out, "| layout | requests/s | of direct | p50 | p90 | p99 | p50 added | daprd processes | resident memory of each |\n|---|---|---|---|---|---|---|---|---|\n")
	base := layouts[0]
	for _, l := range layouts {
		_, _ = fmt.Fprintf(out, "| %s | %.0f | %.2f | %s | %s | %s | %s | %d | %s |\n", l.name, l.throughput(), l.throughput()/base.throughput(),
			l.quantile(50), l.quantile(90), l.quantile(99), l.quantile(50)-base.quantile(50), len(l.daprds), memory(t, l.daprds))
	}
	_, _ = fmt.Fprintf(out, "\nPer app: a companion has its replicas, however many pods the app has (2 by default); a sidecar is in every pod of the app.\n")
}

func direct(t *testing.T) *layout {
	address, err := shared.ServiceAddress(t.Context(), client.ObjectKey{Namespace: namespace, Name: "echo-plain"})
	if err != nil {
		t.Fatal(err)
	}
	return &layout{name: "direct", url: "http://" + address}
}

func companions(t *testing.T) *layout {
	address, err := shared.ServiceAddress(t.Context(), client.ObjectKey{Namespace: namespace, Name: ingressName})
	if err != nil {
		t.Fatal(err)
	}
	l := &layout{name: "companions", url: "http://" + address + ":3500/v1.0/invoke/echo.default/method"}
	for _, app := range []string{"ingress", "echo"} {
		pods, err := shared.ReadyPods(t.Context(), namespace, client.MatchingLabels{"daprise.dev/companion": app})
		if err != nil || len(pods) == 0 {
			t.Fatalf("no companion of %s: %v", app, err)
		}
		for i := range pods {
			l.daprds = append(l.daprds, &pods[i])
		}
	}
	return l
}

// sidecars are two pods made from the companions' own, one of a client and one of the app.
func sidecars(t *testing.T) *layout {
	caller := sidecar(t, "ingress", "bench-client", nil)
	app := sidecar(t, "echo", "bench-app", &pod(t, client.MatchingLabels{"app": "echo"}).Spec.Containers[0])
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-app-dapr", Namespace: namespace},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"bench": "bench-app"},
			Ports: []corev1.ServicePort{{Name: "internal", Port: 50002, TargetPort: intstr.FromInt32(50002)}},
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	if err := shared.Client.Create(ctx, service); err != nil {
		t.Fatal(err)
	}
	ready := func(name string) *corev1.Pod {
		var found *corev1.Pod
		eventually(ctx, t, name+" is ready", func(ctx context.Context) error {
			pods, err := shared.ReadyPods(ctx, namespace, client.MatchingLabels{"bench": name})
			if err != nil || len(pods) == 0 {
				return fmt.Errorf("%d pods: %w", len(pods), err)
			}
			found = &pods[0]
			return nil
		})
		return found
	}
	from, to := ready(caller), ready(app)
	return &layout{
		name: "sidecars", from: from, url: "http://127.0.0.1:3500/v1.0/invoke/bench-app.default/method", daprds: []*corev1.Pod{from, to},
	}
}

// sidecar makes a pod of a companion's: the same daprd with the same
// arguments, but for its name and where its app is.
func sidecar(t *testing.T, companion, name string, app *corev1.Container) string {
	t.Helper()
	like := pod(t, client.MatchingLabels{"daprise.dev/companion": companion})
	spec := corev1.PodSpec{
		ServiceAccountName: like.Spec.ServiceAccountName, AutomountServiceAccountToken: new(bool), SecurityContext: like.Spec.SecurityContext,
		Volumes: like.Spec.Volumes, Containers: []corev1.Container{*like.Spec.Containers[0].DeepCopy()},
		TerminationGracePeriodSeconds: new(int64(1)),
	}
	daprd := &spec.Containers[0]
	daprd.Lifecycle = nil
	for _, list := range []*[]string{&daprd.Args, &daprd.Command} {
		for i, arg := range *list {
			switch key, _, _ := strings.Cut(arg, "="); key {
			case "--app-id":
				(*list)[i] = "--app-id=" + name
			case "--app-channel-address":
				(*list)[i] = "--app-channel-address=127.0.0.1"
			case "--app-port":
				(*list)[i] = "--app-port=8080"
			case "--config":
				(*list)[i] = "--log-as-json"
			}
		}
	}
	if app != nil {
		container := corev1.Container{Name: "app", Image: app.Image, SecurityContext: app.SecurityContext, ReadinessProbe: app.ReadinessProbe}
		spec.Containers = append(spec.Containers, container)
	}
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, Labels: map[string]string{"bench": name, "dapr.io/app-id": name}, Annotations: map[string]string{"dapr.io/app-id": name},
		},
		Spec: spec,
	}
	if err := shared.Client.Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	return name
}

// run sends for a while over all connections and keeps what it took.
func (l *layout) run(t *testing.T, d time.Duration) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	if l.from != nil {
		transport.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
			return shared.Kubelet.DialFrom(ctx, l.from, address)
		}
	}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	body := bytes.Repeat([]byte("x"), payload)
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			var own []time.Duration
			for time.Since(began) < d {
				sent := time.Now()
				if err := post(c, l.url+"/x?size=1024", body); err != nil {
					t.Errorf("%s: %v", l.name, err)
					return
				}
				own = append(own, time.Since(sent))
			}
			mu.Lock()
			l.latencies = append(l.latencies, own...)
			mu.Unlock()
		})
	}
	all.Wait()
	l.elapsed += time.Since(began)
}

func post(c *http.Client, url string, body []byte) error {
	response, err := c.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || response.StatusCode != http.StatusOK || n != payload {
		return fmt.Errorf("%s, %d bytes: %w", response.Status, n, err)
	}
	return nil
}

func (l *layout) throughput() float64 { return float64(len(l.latencies)) / l.elapsed.Seconds() }

func (l *layout) quantile(percent int) time.Duration {
	slices.Sort(l.latencies)
	return l.latencies[len(l.latencies)*percent/100].Round(10 * time.Microsecond)
}

// memory is the resident memory of the pods' daprd processes.
func memory(t *testing.T, pods []*corev1.Pod) string {
	t.Helper()
	var all []string
	for _, p := range pods {
		pid := processOf(t, func(dir string) bool {
			environment, err := os.ReadFile(filepath.Join(dir, "environ"))
			return err == nil && bytes.Contains(environment, []byte("POD_NAME="+p.Name+"\x00"))
		})
		status, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		var kib int
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d MiB", kib>>10))
	}
	return strings.Join(all, ", ")
}
