// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// workload is one Deployment, one DaemonSet and a Service over the pods of each,
// of containers that could run for real under Pod Security "restricted".
func workload(namespace string) []byte {
	const container = `
      automountServiceAccountToken: false
      containers:
      - name: pause
        image: registry.k8s.io/pause:3.10
        ports: [{name: http, containerPort: 8080}]
`
	var all strings.Builder
	for _, w := range []struct{ kind, name, replicas string }{
		{"Deployment", "deployed", "\n  replicas: 3"},
		{"DaemonSet", "everywhere", ""},
	} {
		_, _ = fmt.Fprintf(&all, `---
apiVersion: apps/v1
kind: %[1]s
metadata: {name: %[2]s, namespace: %[3]s}
spec:%[4]s
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:%[5]s---
apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: %[3]s}
spec:
  selector: {app: %[2]s}
  ports: [{name: http, port: 80, targetPort: http}]
`, w.kind, w.name, namespace, w.replicas, container)
	}
	return []byte(all.String())
}

func TestWorkloadsBecomeReady(t *testing.T) {
	ns := namespace(t, "ready")
	if err := shared.Apply(t.Context(), workload(ns)); err != nil {
		t.Fatal(err)
	}
	kube := client(t, shared)
	eventually(t, "rollout of the Deployment", func(ctx context.Context) (bool, error) {
		d, err := kube.AppsV1().Deployments(ns).Get(ctx, "deployed", metav1.GetOptions{})
		return err == nil && d.Status.ReadyReplicas == 3 && d.Status.ObservedGeneration == d.Generation, err
	})
	eventually(t, "rollout of the DaemonSet", func(ctx context.Context) (bool, error) {
		d, err := kube.AppsV1().DaemonSets(ns).Get(ctx, "everywhere", metav1.GetOptions{})
		return err == nil && d.Status.NumberReady == 2 && d.Status.DesiredNumberScheduled == 2, err
	})
	for service, pods := range map[string]int{"deployed": 3, "everywhere": 2} {
		t.Run("endpoints of "+service, func(t *testing.T) { checkEndpoints(t, ns, service, pods) })
	}
}

// checkEndpoints waits until the Service's slices hold exactly the addresses
// of its pods, all ready, on the container's port.
func checkEndpoints(t *testing.T, ns, service string, pods int) {
	kube := client(t, shared)
	list, err := kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + service})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	nodes := map[string]bool{}
	for _, pod := range list.Items {
		if _, err := netip.ParseAddr(pod.Status.PodIP); err != nil {
			t.Errorf("pod %s: address: %v", pod.Name, err)
		}
		want, nodes[pod.Spec.NodeName] = append(want, pod.Status.PodIP), true
	}
	slices.Sort(want)
	if want = slices.Compact(want); len(want) != pods {
		t.Fatalf("%d pods with addresses of their own, want %d: %v", len(want), pods, want)
	}
	if len(nodes) != 2 {
		t.Errorf("pods are on nodes %v, want both", nodes)
	}
	var got []string
	eventually(t, "EndpointSlices", func(ctx context.Context) (bool, error) {
		var err error
		got, err = readyAddresses(ctx, kube.DiscoveryV1().EndpointSlices(ns).List, service)
		return len(got) == pods, err
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses of %s (-want +got):\n%s", service, diff)
	}
}

type listSlices func(context.Context, metav1.ListOptions) (*discoveryv1.EndpointSliceList, error)

func readyAddresses(ctx context.Context, list listSlices, service string) ([]string, error) {
	found, err := list(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, slice := range found.Items {
		if len(slice.Ports) != 1 || *slice.Ports[0].Port != 8080 {
			return nil, fmt.Errorf("ports are %v, want 8080", slice.Ports)
		}
		for _, endpoint := range slice.Endpoints {
			if *endpoint.Conditions.Ready {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	slices.Sort(addresses)
	return addresses, nil
}

// Companions belong to their owners: the garbage collector must really run, for
// owners of kinds that come from CRDs too.
func TestGarbageCollection(t *testing.T) {
	ns := namespace(t, "collected")
	ctx := t.Context()
	err := shared.Apply(ctx, []byte(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: owner, namespace: `+ns+`}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}`))
	if err != nil {
		t.Fatal(err)
	}
	uid, err := shared.Kubectl(ctx, "get", "gateway", "owner", "-n", ns, "-o", "jsonpath={.metadata.uid}")
	if err != nil {
		t.Fatal(err)
	}
	configMaps := client(t, shared).CoreV1().ConfigMaps(ns)
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owned", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Name: "owner", UID: typesUID(uid.Stdout)},
	}}}
	if _, err := configMaps.Create(ctx, owned, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Kubectl(ctx, "delete", "gateway", "owner", "-n", ns); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owned ConfigMap to be collected", func(ctx context.Context) (bool, error) {
		_, err := configMaps.Get(ctx, "owned", metav1.GetOptions{})
		return apierrors.IsNotFound(err), err
	})
}

func TestNamespaceDeletionFinishes(t *testing.T) {
	const ns = "short-lived"
	if err := shared.Apply(t.Context(), []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+"}"), workload(ns)); err != nil {
		t.Fatal(err)
	}
	kube := client(t, shared)
	if err := kube.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace to be gone", func(ctx context.Context) (bool, error) {
		_, err := kube.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err), err
	})
}

func TestPodSecurityIsEnforced(t *testing.T) {
	ns := namespace(t, "restricted")
	ctx := t.Context()
	if _, err := shared.Kubectl(ctx, "label", "namespace", ns, "pod-security.kubernetes.io/enforce=restricted"); err != nil {
		t.Fatal(err)
	}
	_, err := shared.Kubectl(ctx, "run", "careless", "-n", ns, "--image=registry.k8s.io/pause:3.10")
	if failed := kubectlError(t, err); !strings.Contains(failed.Stderr, "violates PodSecurity") {
		t.Errorf("refusal is %q, want Pod Security's", failed.Stderr)
	}
}

// TestRelease: the API server and kubectl are of the release that was chosen.
func TestRelease(t *testing.T) {
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	want, err := parts.GitVersion(root)
	if err != nil {
		t.Fatal(err)
	}
	server, err := shared.Kubectl(t.Context(), "get", "--raw", "/version")
	if err != nil {
		t.Fatal(err)
	}
	client, err := shared.Kubectl(t.Context(), "version", "--client", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{server.Stdout, client.Stdout} {
		if !strings.Contains(text, `"gitVersion": "`+want+`"`) {
			t.Errorf("want %s in:\n%s", want, text)
		}
	}
}

func TestCRDsAreServed(t *testing.T) {
	for _, resource := range []string{
		"gateways.v1.gateway.networking.k8s.io",
		"httproutes.v1.gateway.networking.k8s.io",
		"grpcroutes.v1.gateway.networking.k8s.io",
		"ciliumnetworkpolicies.v2.cilium.io",
		"ciliumclusterwidenetworkpolicies.v2.cilium.io",
		"ciliumlocalredirectpolicies.v2.cilium.io",
		"configurations.v1alpha1.dapr.io",
		"components.v1alpha1.dapr.io",
	} {
		t.Run(resource, func(t *testing.T) {
			if _, err := shared.Kubectl(t.Context(), "get", resource, "-A"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCRDsComeAndGo(t *testing.T) {
	ctx := t.Context()
	list := func() error {
		_, err := shared.Kubectl(ctx, "get", "certificates.v1.cert-manager.io", "-A")
		return err
	}
	if err := list(); err == nil {
		t.Fatal("Certificates are served before they are installed")
	}
	if err := shared.InstallCRDs(ctx, controlplane.CertManager); err != nil {
		t.Fatal(err)
	}
	if err := list(); err != nil {
		t.Errorf("after the installation: %v", err)
	}
	if err := shared.RemoveCRDs(ctx, controlplane.CertManager); err != nil {
		t.Fatal(err)
	}
	if err := list(); err == nil {
		t.Error("Certificates are still served after their removal")
	}
}
