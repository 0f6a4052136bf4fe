// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/cluster"
)

// TestFaults installs deploy/base once and then lets things go wrong.
func TestFaults(t *testing.T) {
	installed(t)
	for _, fault := range []struct {
		name string
		test func(*testing.T)
	}{
		{"only the API server is answered", onlyTheAPIServerIsAnswered},
		{"replicas roll under load", replicasRollUnderLoad},
		{"a replica hangs", aReplicaHangs},
		{"the leader is killed while it applies", theLeaderIsKilled},
		{"the leader leaves", theLeaderLeaves},
		{"hooks are edited", hooksAreEdited},
		{"hooks are deleted", hooksAreDeleted},
		{"a watch goes silent", aWatchGoesSilent},
		{"foreign webhooks before and after ours", foreignWebhooks},
		{"large objects", largeObjects},
		{"the API server and etcd restart", theControlPlaneRestarts},
		{"the CA is replaced under load", theCAIsReplaced},
		{"certificates", certificates},
		{"permissions", permissions},
	} {
		t.Run(fault.name, fault.test)
	}
}

// installed applies deploy/base with Pods that no node can take, and takes it away after the test.
func installed(t *testing.T) {
	t.Helper()
	installedFrom(t, root)
}

// installedFrom installs another tree of this repository.
func installedFrom(t *testing.T, tree string) {
	t.Helper()
	manifest := manifestOf(t, kustomizedIn(t, tree, "base"))
	apply(t, manifest)
	t.Cleanup(func() {
		if _, err := shared.KubectlIn(context.Background(), []byte(manifest), "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
}

// manifestOf are the objects as YAML, the Deployment with a node that does not exist.
func manifestOf(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	if err := unstructured.SetNestedField(find(objects, "Deployment", account).Object, "true", "spec", "template", "spec", "nodeSelector", "nowhere"); err != nil {
		t.Fatal(err)
	}
	if byEndpoints() {
		unstructured.RemoveNestedField(find(objects, "Service", account).Object, "spec", "selector")
	}
	var documents []string
	for _, object := range objects {
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(data))
	}
	return strings.Join(documents, "\n---\n")
}

// onlyTheAPIServerIsAnswered: with --client-ca-file, whoever has no certificate for it gets no answer. That the API server gets some is what all the
// other tests show.
func onlyTheAPIServerIsAnswered(t *testing.T) {
	r := startReplica(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // whoever it is, it must not answer
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+net.JoinHostPort(address(t), strconv.Itoa(r.webhook))+"/validate", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("it answered %s", response.Status)
	}
	enrol(t, "callers")
}

// replicasRollUnderLoad: two replicas are replaced one by one while 200 admissions a second are asked for, and none fails. They linger as they
// do by default: for longer than the API server keeps connections that it does not use, and than the load lasts.
func replicasRollUnderLoad(t *testing.T) {
	const linger = "--linger=95s"
	old := []*replica{startReplica(t, linger), startReplica(t, linger)}
	enrol(t, "roll")
	l := startLoad(t, "roll")
	for _, r := range old {
		startReplica(t)
		r.leave(t)
		l.await(l.sofar() + 2*int(lameDuck.Seconds())*loadRate)
	}
	calls, failures := l.stop()
	for _, r := range old {
		r.end(t, 0)
	}
	t.Logf("%d admissions in %s, %d failed", calls, l.took().Round(time.Second), len(failures))
	if len(failures) > 0 {
		t.Errorf("first failure: %v", failures[0])
	}
	if calls < loadRate {
		t.Errorf("%d admissions show little", calls)
	}
}

// aReplicaHangs: while one of two replicas hangs, calls to it run into their timeout; none is refused wrongly, and once its probes have
// failed, all are answered by the other.
func aReplicaHangs(t *testing.T) {
	healthy, hanging := startReplica(t), startReplica(t)
	enrol(t, "hang")
	l := startLoad(t, "hang")
	if err := syscall.Kill(hanging.program.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		if ready := field(t, ".endpoints[0].conditions.ready", "endpointslice", "-n", system, hanging.name); ready != "false" {
			return fmt.Errorf("the replica that hangs is still an endpoint: ready is %s", ready)
		}
		return nil
	})
	calls, failures := l.stop()
	t.Logf("%d admissions, %d failed before the replica was taken out", calls, len(failures))
	for _, err := range failures {
		if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Fatalf("want nothing but calls that were not answered, got %v", err)
		}
	}
	l = startLoad(t, "hang")
	l.await(400)
	if calls, failures := l.stop(); len(failures) > 0 {
		t.Errorf("with one replica left, %d of %d admissions failed: %v", len(failures), calls, failures[0])
	}
	if err := syscall.Kill(hanging.program.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		if text := hanging.says("readyz"); text != "" {
			return errors.New(text)
		}
		return nil
	})
	if err := healthy.program.Running(); err != nil {
		t.Error(err)
	}
}

// theLeaderIsKilled: the leader dies while it makes the companions of forty Services; the other replica makes the rest.
func theLeaderIsKilled(t *testing.T) {
	const ns, services = "killed", 40
	both := []*replica{startReplica(t), startReplica(t)}
	leader := leading(t, both)
	enrol(t, ns)
	// The other one answers admission, so that nothing but the applying is cut off.
	leader.leaving.Store(true)
	var all []string
	for i := range services {
		name := fmt.Sprintf("app-%d", i)
		all = append(all, strings.ReplaceAll(in(ns, service), "whoami", name), strings.ReplaceAll(in(ns, isolated), "APP", name))
	}
	applied := make(chan error, 1)
	go func() {
		text, err := shared.KubectlIn(context.Background(), []byte(strings.Join(all, "\n---\n")), "apply", "-f", "-")
		if err != nil && strings.Contains(text.Stderr, "failed calling webhook") {
			// The API server had a connection to the leader still: what is killed answers nobody.
			text, err = shared.KubectlIn(context.Background(), []byte(strings.Join(all, "\n---\n")), "apply", "-f", "-")
		}
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, text.Stderr)
		}
		applied <- err
	}()
	deployments := func() int {
		return len(strings.Fields(field(t, ".items[*].metadata.name", "deployments", "-n", ns, "-l", "app.kubernetes.io/managed-by=daprise")))
	}
	cluster.Eventually(t, func() error {
		if have := deployments(); have < 5 {
			return fmt.Errorf("%d are applied", have)
		}
		return nil
	})
	if err := syscall.Kill(leader.program.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed with %d of %d companions there", deployments(), services+1)
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		for i := range services {
			name := fmt.Sprintf("app-%d", i)
			if why := field(t, `.status.conditions[?(@.type=="Companion")].reason`, "service", "-n", ns, name); why != "Ready" {
				return fmt.Errorf("companion of %s: %q", name, why)
			}
		}
		return nil
	})
	if have := deployments(); have != services+1 {
		t.Errorf("%d companions, want %d", have, services+1)
	}
}

// theLeaderLeaves: another replica leads at once, however long the one that leaves serves on; what it makes is not the former version's.
func theLeaderLeaves(t *testing.T) {
	const serves = time.Minute
	flags := []string{"--lame-duck=" + serves.String()}
	both := []*replica{startReplica(t, flags...), startReplica(t, flags...)}
	leader := leading(t, both)
	began := time.Now()
	leader.leave(t)
	other := both[0]
	if leader == other {
		other = both[1]
	}
	cluster.Eventually(t, func() error {
		if _, ok := other.metric(t, "daprise_proof_age_seconds"); !ok {
			return errors.New("the other one does not lead")
		}
		return nil
	})
	if took := time.Since(began); took > serves/2 {
		t.Errorf("the other one led after %s", took)
	}
	if _, ok := leader.metric(t, "daprise_proof_age_seconds"); ok {
		t.Error("the one that left tells of proofs still")
	}
	if err := leader.program.Running(); err != nil {
		t.Errorf("it does not serve on: %v", err)
	}
	enrol(t, "left")
	for _, r := range both {
		r.end(t, 0)
	}
}

// leading is the replica that leads: the one that tells of its proofs.
func leading(t *testing.T, all []*replica) *replica {
	t.Helper()
	var leader *replica
	cluster.Eventually(t, func() error {
		for _, r := range all {
			if _, ok := r.metric(t, "daprise_proof_age_seconds"); ok {
				leader = r
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

// metric is the value of a metric without labels, if the replica tells it.
func (r *replica) metric(t *testing.T, name string) (float64, bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(address(t), strconv.Itoa(r.metrics))+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			return value, err == nil
		}
	}
	return 0, false
}

const isolated = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-APP, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: APP}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`
