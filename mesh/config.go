// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIVersion and Kind of the config file.
const (
	ConfigAPIVersion = "config.daprise.dev/v1alpha1"
	ConfigKind       = "DapriseConfiguration"
)

// Config is the configuration file of daprise-webhook: strict, versioned, with a default for everything (DefaultConfig).
type Config struct {
	metav1.TypeMeta  `json:",inline"`
	Defaults         DefaultsConfig  `json:"defaults"`
	Dapr             DaprConfig      `json:"dapr"`
	Cluster          ClusterConfig   `json:"cluster"`
	Gateway          GatewayConfig   `json:"gateway"`
	Cilium           CiliumConfig    `json:"cilium"`
	Companion        CompanionConfig `json:"companion"`
	Scrapers         []Scraper       `json:"scrapers,omitempty"`
	ExemptNamespaces []string        `json:"exemptNamespaces,omitempty"`
}

// DefaultsConfig is what applies where an object or namespace says nothing.
type DefaultsConfig struct {
	Coverage Mode     `json:"coverage"`
	Policies Policies `json:"policies"`
	Invoke   Invoke   `json:"invoke"`
	// Replicas of a companion with strategy deployment, 1 to 100.
	Replicas int32 `json:"replicas"`
}

// Encryption says who encrypts between companions.
type Encryption string

// Values of dapr.encryption.
const (
	EncryptionDapr   Encryption = "dapr"
	EncryptionCilium Encryption = "cilium"
)

// DaprConfig describes the Dapr control plane and the images of companions.
type DaprConfig struct {
	Version string `json:"version"`
	// Images that companions may run; the first is the default.
	Images                []string   `json:"images"`
	ControlPlaneNamespace string     `json:"controlPlaneNamespace"`
	TrustDomain           string     `json:"trustDomain"`
	Encryption            Encryption `json:"encryption"`
}

// ClusterConfig describes the cluster.
type ClusterConfig struct {
	Domain string `json:"domain"`
}

// GatewayConfig says whose Gateway API translation the rewrites are for; it decides the rewrite values (facts: section 3).
type GatewayConfig struct {
	Implementation string `json:"implementation"`
}

// CiliumConfig says where the ConfigMap cilium-config is.
type CiliumConfig struct {
	Namespace string `json:"namespace"`
}

// CompanionConfig is placed on every companion's pod.
type CompanionConfig struct {
	Resources         corev1.ResourceRequirements   `json:"resources"`
	NodeSelector      map[string]string             `json:"nodeSelector,omitempty"`
	Tolerations       []corev1.Toleration           `json:"tolerations,omitempty"`
	Affinity          *corev1.Affinity              `json:"affinity,omitempty"`
	PriorityClassName string                        `json:"priorityClassName,omitempty"`
	ImagePullSecrets  []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Env lists the names of environment variables that users may set through dapr.io/env.
	Env []string `json:"env,omitempty"`
}

// Scraper names pods that may read companions' metrics on 9090.
type Scraper struct {
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	PodSelector       metav1.LabelSelector `json:"podSelector"`
}
