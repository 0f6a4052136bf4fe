// SPDX-License-Identifier: Apache-2.0

// Package companions holds rendered companions against a real API server: that it takes them, in a namespace that enforces Pod
// Security restricted; that what it stores counts as up to date, and what somebody changed does not; and that they become ready.
package companions

import (
	"context"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/controlplane"
)

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplane.Main(m, controlplane.Options{}, func(cp *controlplane.ControlPlane) { shared = cp }))
}

func connect(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(shared.AdminConfig(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// world is a namespace that enforces Pod Security restricted, with a Service and a Gateway to own companions.
type world struct {
	client.Client
	app     mesh.App
	ingress mesh.Ingress
	input   companion.Input
}

func newWorld(t *testing.T, namespace string) world {
	t.Helper()
	c := connect(t)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "whoami"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "whoami"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default-gateway"},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "cilium",
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
	labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}}, service, gateway,
	} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	owner := func(version, kind string, object client.Object) mesh.Owner {
		return mesh.Owner{UID: object.GetUID(), Object: mesh.Object{
			APIVersion: version, Kind: kind, Namespace: namespace, Name: object.GetName(),
		}}
	}
	return world{
		Client: c,
		app: mesh.App{
			AppRef: mesh.AppRef{Namespace: namespace, ID: "whoami"}, Owner: owner("v1", "Service", service),
			Service: "whoami", Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true,
		},
		ingress: mesh.Ingress{
			AppRef: mesh.AppRef{Namespace: namespace, ID: "ingress"}, Owner: owner("gateway.networking.k8s.io/v1", "Gateway", gateway),
			Gateway: "default-gateway", Strategy: mesh.StrategyDaemonSet,
		},
		input: companion.Input{
			Config: mesh.DefaultConfig(), TrustAnchors: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
			Callers: []mesh.AppRef{{Namespace: namespace, ID: "ingress"}},
		},
	}
}

// apply is server-side apply as daprise, and what is stored then.
func (w world) apply(t *testing.T, object runtime.Object) *unstructured.Unstructured {
	t.Helper()
	content, err := companion.Content(object)
	if err != nil {
		t.Fatal(err)
	}
	apply := client.ApplyConfigurationFromUnstructured(content)
	if err := w.Apply(t.Context(), apply, client.FieldOwner(mesh.FieldManager), client.ForceOwnership); err != nil {
		t.Fatalf("apply %s %s: %v", content.GetKind(), content.GetName(), err)
	}
	return w.stored(t, object)
}

func (w world) stored(t *testing.T, object runtime.Object) *unstructured.Unstructured {
	t.Helper()
	content, err := companion.Content(object)
	if err != nil {
		t.Fatal(err)
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(content.GroupVersionKind())
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(content), live); err != nil {
		t.Fatal(err)
	}
	return live
}

func upToDate(t *testing.T, desired, live runtime.Object) bool {
	t.Helper()
	current, err := companion.UpToDate(desired, live)
	if err != nil {
		t.Fatal(err)
	}
	return current
}

func TestStoredIsUpToDate(t *testing.T) {
	tests := []struct {
		name   string
		render func(w *world) []runtime.Object
	}{
		{"app", func(w *world) []runtime.Object { return companion.App(w.app, w.input) }},
		{"app-daemonset", func(w *world) []runtime.Object {
			w.app.Strategy, w.app.LocalRedirect = mesh.StrategyDaemonSet, true
			return companion.App(w.app, w.input)
		}},
		{"app-closed", func(w *world) []runtime.Object {
			w.app.DaprAPI, w.input.Config.Cluster.Domain = false, "corp.internal"
			return companion.App(w.app, w.input)
		}},
		{"app-keys", func(w *world) []runtime.Object {
			w.app.Dapr = map[string]string{
				"dapr.io/sidecar-cpu-limit": "1500m", "dapr.io/sidecar-memory-request": "1024Mi", "dapr.io/enable-metrics": "false",
				"dapr.io/sidecar-liveness-probe-delay-seconds": "0", "dapr.io/block-shutdown-duration": "90s",
			}
			return companion.App(w.app, w.input)
		}},
		{"app-placed", func(w *world) []runtime.Object {
			w.input.Config.Companion.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
			w.input.Config.Companion.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
					Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{
						TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{},
					},
				}},
			}}
			w.input.Config.Companion.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
			return companion.App(w.app, w.input)
		}},
		{"ingress", func(w *world) []runtime.Object { return companion.Ingress(w.ingress, w.input) }},
		{"ingress-grpc", func(w *world) []runtime.Object {
			w.ingress.GRPC, w.ingress.LocalRedirect = true, true
			w.ingress.Strategy, w.ingress.Replicas = mesh.StrategyDeployment, 3
			return companion.Ingress(w.ingress, w.input)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "stored-"+tt.name)
			objects := tt.render(&w)
			for _, object := range objects {
				first := w.apply(t, object)
				if !upToDate(t, object, first) {
					t.Errorf("%s %s as stored is not up to date", first.GetKind(), first.GetName())
				}
				if again := w.apply(t, object); !sameButStatus(first, again) {
					t.Errorf("%s %s changed when applied again", first.GetKind(), first.GetName())
				}
			}
			w.becomesReady(t, objects[len(objects)-1])
		})
	}
}

// sameButStatus compares generations where the kind has them, since a status moves on by itself, and else resource versions.
func sameButStatus(a, b *unstructured.Unstructured) bool {
	if a.GetGeneration() > 0 {
		return a.GetGeneration() == b.GetGeneration()
	}
	return a.GetResourceVersion() == b.GetResourceVersion()
}

// edit is somebody else's change.
func (w world) edit(t *testing.T, object runtime.Object, manager, patch string) {
	t.Helper()
	if err := w.Patch(t.Context(), w.stored(t, object), client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(manager)); err != nil {
		t.Fatal(err)
	}
}

// becomesReady polls State until it says so. The pods exist only if Pod Security lets them.
func (w world) becomesReady(t *testing.T, desired runtime.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		state := w.state(t, desired)
		if state.Ready {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not ready: %+v", w.stored(t, desired).Object["status"])
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (w world) state(t *testing.T, desired runtime.Object) mesh.CompanionState {
	t.Helper()
	live := w.stored(t, desired)
	var typed runtime.Object = &appsv1.Deployment{}
	if live.GetKind() == "DaemonSet" {
		typed = &appsv1.DaemonSet{}
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, typed); err != nil {
		t.Fatal(err)
	}
	state, err := companion.State(desired, typed)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestChangesAreSeen(t *testing.T) {
	w := newWorld(t, "changed")
	workload := func(in companion.Input) runtime.Object {
		objects := companion.App(w.app, in)
		return objects[len(objects)-1]
	}
	placed := w.input
	placed.Config.Companion.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
	w.apply(t, workload(placed))

	t.Run("a field we applied and no longer render", func(t *testing.T) {
		if upToDate(t, workload(w.input), w.stored(t, workload(w.input))) {
			t.Error("up to date, with a nodeSelector left behind")
		}
		live := w.apply(t, workload(w.input))
		if !upToDate(t, workload(w.input), live) {
			t.Error("applied, and not up to date")
		}
		if _, found, _ := unstructured.NestedMap(live.Object, "spec", "template", "spec", "nodeSelector"); found {
			t.Error("the nodeSelector is still there")
		}
	})
	t.Run("somebody else's annotation", func(t *testing.T) {
		w.edit(t, workload(w.input), "somebody", `{"metadata":{"annotations":{"example.com/note":"theirs"}}}`)
		if !upToDate(t, workload(w.input), w.stored(t, workload(w.input))) {
			t.Error("not up to date")
		}
	})
	t.Run("somebody's edit of our field", func(t *testing.T) {
		w.edit(t, workload(w.input), "somebody", `{"spec":{"replicas":7}}`)
		if upToDate(t, workload(w.input), w.stored(t, workload(w.input))) {
			t.Error("up to date")
		}
		if !upToDate(t, workload(w.input), w.apply(t, workload(w.input))) {
			t.Error("applied, and not up to date")
		}
	})
	t.Run("an autoscaler's replicas", func(t *testing.T) {
		scaled := w.input
		scaled.Autoscaled = true
		if upToDate(t, workload(scaled), w.stored(t, workload(scaled))) {
			t.Error("up to date, while the replicas are still ours")
		}
		w.apply(t, workload(scaled))
		w.edit(t, workload(scaled), "autoscaler", `{"spec":{"replicas":5}}`)
		if !upToDate(t, workload(scaled), w.stored(t, workload(scaled))) {
			t.Error("not up to date")
		}
	})
}
