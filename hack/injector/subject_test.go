// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/dapr/dapr/pkg/injector/patcher"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

const (
	image   = "ghcr.io/dapr/daprd:1.18.2"
	anchors = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
)

func config() mesh.Config {
	return mesh.Config{
		Dapr: mesh.DaprConfig{
			Version: "1.18.2", Images: []string{image, "example.com/daprd:patched"}, ControlPlaneNamespace: "dapr-system",
			TrustDomain: "cluster.local", Encryption: mesh.EncryptionDapr,
		},
		Cluster:   mesh.ClusterConfig{Domain: "cluster.local"},
		Companion: mesh.CompanionConfig{Env: []string{"HTTPS_PROXY"}},
	}
}

func whoami(annotations map[string]string) mesh.App {
	return mesh.App{
		AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"},
		Owner: mesh.Owner{
			Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"}, UID: "1",
		},
		Service: "whoami", Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true, Dapr: annotations,
	}
}

func input() companion.Input {
	return companion.Input{
		Config: config(), TrustAnchors: anchors,
		Callers: []mesh.AppRef{{Namespace: "default", ID: "ingress"}, {Namespace: "shop", ID: "cart"}},
		TrustDomains: map[mesh.AppRef]string{
			{Namespace: "shop", ID: "cart"}: "shop.example.com",
		},
	}
}

func ingress() mesh.Ingress {
	return mesh.Ingress{
		AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"},
		Owner: mesh.Owner{
			Object: mesh.Object{
				APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: "default", Name: "default-gateway",
			},
			UID: "2",
		},
		Gateway: "default-gateway", Strategy: mesh.StrategyDaemonSet,
	}
}

func podSpec(t *testing.T, objects []runtime.Object) corev1.PodSpec {
	t.Helper()
	switch w := objects[len(objects)-1].(type) {
	case *appsv1.Deployment:
		return w.Spec.Template.Spec
	case *appsv1.DaemonSet:
		return w.Spec.Template.Spec
	default:
		t.Fatalf("the last object is a %T", w)
		return corev1.PodSpec{}
	}
}

// injected is the pod that Dapr's injector makes of one with these annotations, with the values of Dapr's chart
// (charts/dapr/charts/dapr_sidecar_injector/values.yaml; dapr pkg/injector/service/pod_patch.go).
func injected(t *testing.T, annotations map[string]string) corev1.PodSpec {
	t.Helper()
	all := maps.Clone(annotations)
	all["dapr.io/enabled"] = "true"
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "whoami-1", Namespace: "default", Annotations: all},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
	}
	patch, err := sidecarOf(pod).GetPatch()
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patcher.PatchPod(pod, patch)
	if err != nil {
		t.Fatal(err)
	}
	return patched.Spec
}

// sidecarOf is what Dapr's injector would inject into a pod.
func sidecarOf(pod *corev1.Pod) *patcher.SidecarConfig {
	sidecar := patcher.NewSidecarConfig(pod)
	sidecar.Mode = "kubernetes"
	sidecar.Namespace = "default"
	sidecar.MTLSEnabled = true
	sidecar.ImagePullPolicy = corev1.PullIfNotPresent
	sidecar.OperatorAddress = patcher.ServiceAPI.Address("dapr-system", "cluster.local")
	sidecar.SentryAddress = patcher.ServiceSentry.Address("dapr-system", "cluster.local")
	sidecar.PlacementAddress = patcher.ServicePlacement.Address("dapr-system", "cluster.local")
	sidecar.RunAsNonRoot = true
	sidecar.ReadOnlyRootFilesystem = true
	sidecar.CurrentTrustAnchors = []byte(anchors)
	sidecar.ControlPlaneNamespace = "dapr-system"
	sidecar.ControlPlaneTrustDomain = "cluster.local"
	sidecar.KubeClusterDomain = "cluster.local"
	sidecar.SentrySPIFFEID = "spiffe://cluster.local/ns/dapr-system/dapr-sentry"
	sidecar.SchedulerEnabled = true
	sidecar.SidecarImage = image
	sidecar.SetFromPodAnnotations()
	return sidecar
}
