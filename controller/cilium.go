// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// ciliumAgent is the container of the DaemonSet whose image says the version (cilium install/kubernetes/cilium/templates/cilium-agent).
const ciliumAgent = "cilium-agent"

// ciliumOf learns what is known of Cilium: the settings from its ConfigMap, the version, which the ConfigMap does not hold, from the
// agent's image. Both arguments may be nil; what was not learned is empty, and without the ConfigMap that is said as a setting.
func ciliumOf(settings *corev1.ConfigMap, agent *appsv1.DaemonSet) mesh.Cilium {
	facts := mesh.Cilium{Version: ciliumVersion(agent)}
	if settings == nil {
		facts.Unmodelled = []string{"ConfigMap " + ciliumConfigMap + " not found"}
		return facts
	}
	facts.Cluster = settings.Data["cluster-name"]
	on := func(key string) bool { return strings.EqualFold(settings.Data[key], "true") }
	facts.Encrypts = on("enable-wireguard") || on("enable-ipsec")
	facts.Authenticates = on("mesh-auth-enabled") && on("mesh-auth-mutual-enabled")
	facts.LocalRedirects = on("enable-local-redirect-policy")
	if facts.AnyCluster = anyCluster(settings, facts.Version); facts.AnyCluster {
		facts.Unmodelled = append(facts.Unmodelled, localCluster+"="+cmp.Or(settings.Data[localCluster], "false")+" in a mesh of clusters")
	}
	for key, modelled := range ciliumModelled() {
		if value, ok := settings.Data[key]; ok && !slices.Contains(modelled, strings.ToLower(value)) {
			facts.Unmodelled = append(facts.Unmodelled, key+"="+value)
		}
	}
	slices.Sort(facts.Unmodelled)
	return facts
}

// Settings that say of which clusters a selector is that does not name one.
const (
	localCluster = "policy-default-local-cluster"
	clusterID    = "cluster-id"
)

// anyCluster says whether selectors that say nothing of the cluster are those of every cluster, and there may be others: a cluster is in a
// mesh only with a number of its own, which is not 0 (cilium pkg/clustermesh/types ValidateRemoteConfig).
func anyCluster(settings *corev1.ConfigMap, version string) bool {
	if id := settings.Data[clusterID]; id == "" || id == "0" {
		return false
	}
	value, ok := settings.Data[localCluster]
	if !ok {
		return policy.AnyClusterByDefault(version)
	}
	return !strings.EqualFold(value, "true")
}

// ciliumModelled holds, for the settings that change a verdict, the values under which verdicts are as mesh/policy models them; an
// absent setting has one of them (cilium pkg/option, install/kubernetes/cilium/templates/cilium-configmap.yaml).
func ciliumModelled() map[string][]string {
	return map[string][]string{
		// "always" denies by default where no policy selects, "never" enforces nothing.
		"enable-policy": {"default", ""},
		// Audit mode only logs what it would drop.
		"policy-audit-mode": {"false", ""},
		// Without either kind its objects are ignored.
		"enable-k8s-networkpolicy":                 {"true"},
		"enable-cilium-network-policy":             {"true"},
		"enable-cilium-clusterwide-network-policy": {"true"},
		// Tiers of cluster-wide policy that come before and after the others.
		"enable-k8s-cluster-network-policy": {"false", ""},
		// Other labels than by default make up a pod's identity, that of companions perhaps not among them.
		"labels": {""},
		// Node addresses match CIDR rules.
		"policy-cidr-match-mode": {""},
		// Without the proxy there is no gateway and no L7 rule.
		"enable-l7-proxy": {"true"},
		// All traffic between pods arrives on the tunnel's port.
		"enable-ztunnel": {"false", ""},
		// Rules with enableDefaultDeny false are otherwise read as if it were true.
		"enable-non-default-deny-policies": {"true"},
	}
}

// ciliumVersion is the version in the tag of the agent's image, or empty.
func ciliumVersion(agent *appsv1.DaemonSet) string {
	if agent == nil {
		return ""
	}
	return versionOfContainer(agent.Spec.Template.Spec.Containers, ciliumAgent)
}

// versionOfContainer is the version in the tag of a container's image, or empty.
func versionOfContainer(containers []corev1.Container, name string) string {
	for i := range containers {
		if containers[i].Name != name {
			continue
		}
		if version := versionOfImage(containers[i].Image); version != "" {
			return version
		}
	}
	return ""
}

// versionOfImage is the version in the tag of an image, "1.20.2" of quay.io/cilium/cilium:v1.20.2-rc.1@sha256:…, or empty.
func versionOfImage(image string) string {
	image, _, _ = strings.Cut(image, "@")
	at := strings.LastIndexByte(image, ':')
	if at < 0 || strings.Contains(image[at:], "/") {
		return ""
	}
	const digits = "0123456789"
	parts := strings.SplitN(strings.TrimPrefix(image[at+1:], "v"), ".", 3)
	last := len(parts) - 1
	parts[last] = strings.TrimSuffix(parts[last], strings.TrimLeft(parts[last], digits))
	if len(parts) < 3 || slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.Trim(p, digits) != "" }) {
		return ""
	}
	return strings.Join(parts, ".")
}
