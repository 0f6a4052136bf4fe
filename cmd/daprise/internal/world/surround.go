// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/mesh"
)

// Objects of the surroundings that the loader reads (cilium install/kubernetes/cilium/templates, dapr pkg/sentry).
const (
	ciliumConfig   = "cilium-config"
	ciliumAgents   = "cilium"
	ciliumAgent    = "cilium-agent"
	trustBundle    = "dapr-trust-bundle"
	trustBundleKey = "ca.crt"
)

// surround adds what a cluster has and files rarely do: a Cilium of the version given, with its default settings, and Dapr's trust
// bundle, if it is given. What is among the objects stands.
func (w *World) surround() {
	config := w.options.Config
	configMaps := schema.GroupKind{Kind: "ConfigMap"}
	cilium := client.ObjectKey{Namespace: config.Cilium.Namespace, Name: ciliumConfig}
	if w.store.find(configMaps, cilium) == nil && w.options.CiliumVersion != "" {
		settings := &corev1.ConfigMap{}
		settings.Namespace, settings.Name = cilium.Namespace, cilium.Name
		w.store.put(configMaps, settings)
		agents := &appsv1.DaemonSet{}
		agents.Namespace, agents.Name = cilium.Namespace, ciliumAgents
		agents.Spec.Template.Spec.Containers = []corev1.Container{{Name: ciliumAgent, Image: "quay.io/cilium/cilium:v" + w.options.CiliumVersion}}
		w.store.put(schema.GroupKind{Group: groupApps, Kind: "DaemonSet"}, agents)
	}
	bundle := client.ObjectKey{Namespace: config.Dapr.ControlPlaneNamespace, Name: trustBundle}
	if w.store.find(configMaps, bundle) == nil && w.options.TrustAnchors != "" {
		anchors := &corev1.ConfigMap{Data: map[string]string{trustBundleKey: w.options.TrustAnchors}}
		anchors.Namespace, anchors.Name = bundle.Namespace, bundle.Name
		w.store.put(configMaps, anchors)
	}
}

// ConfigMap holds the config file of daprise-webhook, in mesh.SystemNamespace, under the key configKey.
const (
	ConfigMap = "daprise-config"
	configKey = "config.yaml"
)

// ConfigIn is the config file of daprise-webhook that files hold, or empty.
func ConfigIn(files []document.File) (string, error) {
	for _, file := range files {
		for _, segment := range file.Segments {
			d := segment.Document
			if d == nil || d.Kind != "ConfigMap" || d.Name != ConfigMap || d.Namespace != mesh.SystemNamespace {
				continue
			}
			var object struct {
				Data map[string]string `json:"data"`
			}
			if err := json.Unmarshal(d.JSON, &object); err != nil {
				return "", fmt.Errorf("decode ConfigMap %s/%s: %w", d.Namespace, d.Name, err)
			}
			return object.Data[configKey], nil
		}
	}
	return "", nil
}
