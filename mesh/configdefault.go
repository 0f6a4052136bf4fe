// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Gateway implementations that gateway.implementation knows.
const (
	GatewayCilium  = "cilium"
	GatewayTraefik = "traefik"
)

// DefaultConfig is the configuration of a file that says nothing but its apiVersion and kind.
func DefaultConfig() Config {
	return Config{
		TypeMeta: metav1.TypeMeta{APIVersion: ConfigAPIVersion, Kind: ConfigKind},
		Defaults: DefaultsConfig{
			Coverage: ModeEnforce,
			Policies: PoliciesManual,
			Invoke:   InvokePrefix,
			Replicas: 2,
		},
		Dapr: DaprConfig{
			Version:               "1.18.2",
			Images:                []string{"ghcr.io/dapr/daprd:1.18.2"},
			ControlPlaneNamespace: "dapr-system",
			TrustDomain:           "cluster.local",
			Encryption:            EncryptionDapr,
		},
		Cluster:          ClusterConfig{Domain: "cluster.local"},
		Gateway:          GatewayConfig{Implementation: GatewayCilium},
		Cilium:           CiliumConfig{Namespace: "kube-system"},
		Companion:        CompanionConfig{Resources: defaultResources()},
		ExemptNamespaces: []string{metav1.NamespaceSystem},
	}
}

// defaultResources hold an idle daprd with room for bodies of 4Mi in flight. There is no CPU limit: throttling a proxy only adds
// latency to every request through it, while the CPU request already shares the node fairly. The memory limit keeps a leak on one
// companion from its neighbours.
func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("64Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	}
}
