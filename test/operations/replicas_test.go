// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

const (
	system  = "daprise-system"
	account = "daprise-webhook"
	// lameDuck is shorter than the default of 10 s, for the test's sake.
	lameDuck = 3 * time.Second
)

// replica is a process of daprise-webhook that stands in for a Pod: an endpoint of the Service for as long as it is ready.
type replica struct {
	name    string
	program *controlplane.Program
	webhook int
	health  int
	metrics int

	leaving  atomic.Bool
	stopped  chan struct{}
	followed sync.WaitGroup
}

var replicas atomic.Int32

// startReplica starts a replica with the chart's config file and waits until it is an endpoint. It ends with the test.
func startReplica(t *testing.T, args ...string) *replica {
	t.Helper()
	r := launchReplica(t, args...)
	r.awaitEndpoint(t)
	return r
}

func (r *replica) awaitEndpoint(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, func() error {
		if err := r.program.Running(); err != nil {
			t.Fatal(err)
		}
		if text := r.says("readyz"); text != "" {
			return fmt.Errorf("%s is not ready: %s", r.name, text)
		}
		if ready := field(t, ".endpoints[0].conditions.ready", "endpointslice", "-n", system, r.name); ready != "true" {
			return fmt.Errorf("%s is no endpoint yet", r.name)
		}
		return nil
	})
}

// launchReplica does not wait. The replica lets the API server alone call, proves each second, and does not linger, for the test's sake.
func launchReplica(t *testing.T, args ...string) *replica {
	t.Helper()
	return launch(t, server, append([]string{"--client-ca-file=" + caller.ca, "--client-names=" + callerName, "--proof-interval=1s", "--linger=0s"}, args...)...)
}

// launch starts a server's program as a replica.
func launch(t *testing.T, program string, args ...string) *replica {
	t.Helper()
	r := &replica{name: fmt.Sprintf("replica-%d", replicas.Add(1)), stopped: make(chan struct{})}
	for _, port := range []*int{&r.webhook, &r.health, &r.metrics} {
		*port = freePort(t)
	}
	config := filepath.Join(shared.Dir(), r.name+".config.yaml")
	if err := os.WriteFile(config, []byte(field(t, ".data.config\\.yaml", "configmap", "-n", system, "daprise-config")), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append([]string{
		"--kubeconfig=" + credentials(t), "--config=" + config, "--bind-address=" + address(t), "--webhook-port=" + strconv.Itoa(r.webhook),
		"--health-port=" + strconv.Itoa(r.health), "--metrics-port=" + strconv.Itoa(r.metrics), "--lame-duck=" + lameDuck.String(),
	}, args...)
	started, err := shared.StartProgram(r.name, program, flags...)
	if err != nil {
		t.Fatal(err)
	}
	r.program = started
	r.followed.Go(func() { r.follow(address(t)) })
	t.Cleanup(func() { r.end(t, 30*time.Second) })
	return r
}

// follow is kubelet and endpoint controller in one: the replica is an endpoint while /readyz says yes, and after three failed probes, or
// once it is asked to leave, it is none.
func (r *replica) follow(ip string) {
	failures, shown := 0, -1
	for {
		ready := 0
		switch {
		case r.leaving.Load():
		case r.says("readyz") == "":
			failures, ready = 0, 1
		default:
			if failures++; failures < 3 && shown == 1 {
				ready = 1
			}
		}
		if ready != shown && r.publish(ip, ready == 1) == nil {
			shown = ready
		}
		select {
		case <-r.stopped:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// publish writes the replica's EndpointSlice.
func (r *replica) publish(ip string, ready bool) error {
	ctx := context.Background()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: r.name, Labels: map[string]string{
			discoveryv1.LabelServiceName: account, discoveryv1.LabelManagedBy: "operations.test",
		}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("webhook"), Port: new(int32(r.webhook)), Protocol: new(corev1.ProtocolTCP)}},
	}
	err := shared.Client.Create(ctx, slice)
	if apierrors.IsAlreadyExists(err) {
		err = shared.Client.Update(ctx, slice)
	}
	if err == nil && byEndpoints() {
		err = r.publishEndpoints(ip, ready)
	}
	return err
}

// says is what a probe answers unless it is yes: then it is empty.
func (r *replica) says(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/%s", net.JoinHostPort(localAddress(), strconv.Itoa(r.health)), path), http.NoBody)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

// leave is how the deletion of a Pod begins: it stops being an endpoint and is asked to end at the same time. end waits for the rest.
func (r *replica) leave(t *testing.T) {
	t.Helper()
	r.leaving.Store(true)
	if err := syscall.Kill(r.program.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// end is what the deletion of a Pod does: it stops being an endpoint and is asked to end at the same time.
func (r *replica) end(t *testing.T, patience time.Duration) {
	t.Helper()
	r.leaving.Store(true)
	if err := r.program.Stop(patience); err != nil {
		t.Error(err)
	}
	select {
	case <-r.stopped:
		return
	default:
		close(r.stopped)
	}
	r.followed.Wait()
	if byEndpoints() {
		if err := r.publishEndpoints(address(t), false); err != nil {
			t.Error(err)
		}
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: r.name}}
	if err := shared.Client.Delete(context.Background(), slice); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
}

// credentials is the kubeconfig of daprise's own ServiceAccount.
func credentials(t *testing.T) string {
	t.Helper()
	config, err := shared.ServiceAccountConfig(t.Context(), system, account)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(shared.Dir(), "daprise.kubeconfig")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		t.Fatal(err)
	}
	return path
}

// address is one of this machine that may be an endpoint: the API server refuses loopback ones.
func address(t *testing.T) string {
	t.Helper()
	ip := localAddress()
	if ip == "" {
		t.Fatal("this machine has no IPv4 address but loopback ones, and an EndpointSlice takes none of those")
	}
	return ip
}

func localAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
