// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"flag"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

const anchors = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

func config() mesh.Config {
	return mesh.Config{
		Dapr: mesh.DaprConfig{
			Version:               "1.18.2",
			Images:                []string{"ghcr.io/dapr/daprd:1.18.2", "example.com/daprd:patched"},
			ControlPlaneNamespace: "dapr-system",
			TrustDomain:           "cluster.local",
			Encryption:            mesh.EncryptionDapr,
		},
		Cluster: mesh.ClusterConfig{Domain: "cluster.local"},
		Companion: mesh.CompanionConfig{
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU:    resource.MustParse("100m"),
					corev1.ResourceMemory: resource.MustParse("128Mi"),
				},
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
			},
			Env: []string{"OTEL_RESOURCE_ATTRIBUTES", "HTTPS_PROXY", "NAMESPACE"},
		},
	}
}

func input() companion.Input {
	return companion.Input{Config: config(), TrustAnchors: anchors, Callers: []mesh.AppRef{{Namespace: "default", ID: "ingress"}}}
}

// whoami is the app of the scenario.
func whoami() mesh.App {
	return mesh.App{
		AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"},
		Owner: mesh.Owner{
			Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"},
			UID:    "0a61d9d2-6d4a-4d0f-9a31-3c1c4c8c7f10",
		},
		Service:  "whoami",
		Port:     80,
		Protocol: "http",
		Strategy: mesh.StrategyDeployment,
		Replicas: 2,
		DaprAPI:  true,
		Selector: map[string]string{"app": "whoami"},
	}
}

// ingress is the Gateway of the scenario.
func ingress() mesh.Ingress {
	return mesh.Ingress{
		AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"},
		Owner: mesh.Owner{
			Object: mesh.Object{
				APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: "default", Name: "default-gateway",
			},
			UID: "5b0f4f0e-3f5b-4c0e-8d5f-1f0a6a3f9c22",
		},
		Gateway:  "default-gateway",
		Strategy: mesh.StrategyDaemonSet,
		Invoke:   mesh.InvokePrefix,
	}
}
