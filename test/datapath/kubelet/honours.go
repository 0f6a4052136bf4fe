// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// unhonoured lists the fields of a Pod's spec that are set and that this
// kubelet neither honours nor may leave alone, as paths. The Pod is not modified.
//
// It clears what is honoured, and what is harmless, and names whatever is left:
// a field that nobody here has thought of is refused.
func unhonoured(pod *corev1.Pod) []string {
	rest := pod.Spec.DeepCopy()
	clearPod(rest)
	for i := range rest.Containers {
		clearContainer(&rest.Containers[i])
	}
	for i := range rest.Volumes {
		clearVolume(&rest.Volumes[i])
	}
	data, err := json.Marshal(rest)
	if err != nil {
		return []string{err.Error()}
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return []string{err.Error()}
	}
	left := leaves("spec", tree)
	slices.Sort(left)
	return left
}

func clearPod(s *corev1.PodSpec) {
	// Honoured.
	s.NodeName, s.ServiceAccountName, s.TerminationGracePeriodSeconds, s.EnableServiceLinks = "", "", nil, nil
	if s.RestartPolicy == corev1.RestartPolicyAlways {
		s.RestartPolicy = ""
	}
	if s.DNSPolicy == corev1.DNSClusterFirst || s.DNSPolicy == corev1.DNSDefault {
		s.DNSPolicy = ""
	}
	// By the API server, the scheduler and other controllers, before a kubelet sees the Pod.
	s.DeprecatedServiceAccount, s.AutomountServiceAccountToken, s.SchedulerName = "", nil, ""
	s.NodeSelector, s.Affinity, s.Tolerations, s.TopologySpreadConstraints = nil, nil, nil, nil
	s.PriorityClassName, s.Priority, s.PreemptionPolicy = "", nil, nil
	// Harmless: nothing is pulled.
	s.ImagePullSecrets = nil
	clearPodSecurity(s)
}

func clearPodSecurity(s *corev1.PodSpec) {
	c := s.SecurityContext
	if c == nil {
		return
	}
	// Honoured.
	c.RunAsUser, c.RunAsGroup, c.RunAsNonRoot = nil, nil, nil
	// Harmless: a container here may do more system calls than there, never fewer.
	if c.SeccompProfile != nil && c.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault {
		c.SeccompProfile = nil
	}
	// Harmless: the group owns volumes that only it may write, and here everybody may.
	c.FSGroup, c.FSGroupChangePolicy = nil, nil
}

func clearContainer(c *corev1.Container) {
	// Honoured.
	c.Name, c.Image, c.Command, c.Args, c.WorkingDir, c.Env = "", "", nil, nil, "", nil
	// Harmless: ports are a list for readers, and for names in probes and Services.
	c.Ports = nil
	// Harmless: nothing is pulled; processes here are few and share the machine.
	c.ImagePullPolicy, c.Resources = "", corev1.ResourceRequirements{}
	// Harmless: a process that ends has its log.
	c.TerminationMessagePath, c.TerminationMessagePolicy = "", ""
	for _, probe := range []**corev1.Probe{&c.LivenessProbe, &c.ReadinessProbe, &c.StartupProbe} {
		clearProbe(probe)
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		c.Lifecycle.PreStop.Sleep = nil
	}
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		m.Name, m.MountPath, m.ReadOnly = "", "", false
	}
	clearSecurity(c)
}

func clearSecurity(c *corev1.Container) {
	s := c.SecurityContext
	if s == nil {
		return
	}
	// Honoured: no process here has a capability or runs as user 0.
	s.RunAsUser, s.RunAsGroup, s.RunAsNonRoot = nil, nil, nil
	s.ReadOnlyRootFilesystem, s.AllowPrivilegeEscalation = nil, nil
	if s.Capabilities != nil {
		s.Capabilities.Drop = nil
		// Honoured in another way: ports below 1024 are free for everybody.
		s.Capabilities.Add = slices.DeleteFunc(s.Capabilities.Add, func(added corev1.Capability) bool { return added == "NET_BIND_SERVICE" })
	}
	// Harmless, as for the Pod.
	if s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault {
		s.SeccompProfile = nil
	}
}

func clearProbe(p **corev1.Probe) {
	probe := *p
	if probe == nil || probe.Exec != nil || probe.GRPC != nil || probe.TerminationGracePeriodSeconds != nil {
		return
	}
	if probe.HTTPGet != nil && probe.HTTPGet.Host != "" || probe.TCPSocket != nil && probe.TCPSocket.Host != "" {
		return
	}
	*p = nil
}

func clearVolume(v *corev1.Volume) {
	v.Name = ""
	// Harmless: size limits of what only tests write to.
	v.EmptyDir = nil
	if v.Secret != nil {
		v.Secret.SecretName, v.Secret.DefaultMode, v.Secret.Optional = "", nil, nil
		clearItems(v.Secret.Items)
	}
	if v.ConfigMap != nil {
		v.ConfigMap.Name, v.ConfigMap.DefaultMode, v.ConfigMap.Optional = "", nil, nil
		clearItems(v.ConfigMap.Items)
	}
	if v.Projected == nil {
		return
	}
	v.Projected.DefaultMode = nil
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		s.ServiceAccountToken = nil
		if s.ConfigMap != nil {
			s.ConfigMap.Name, s.ConfigMap.Optional = "", nil
			clearItems(s.ConfigMap.Items)
		}
		if s.Secret != nil {
			s.Secret.Name, s.Secret.Optional = "", nil
			clearItems(s.Secret.Items)
		}
		if s.DownwardAPI != nil {
			clearDownward(s.DownwardAPI)
		}
	}
}

func clearItems(items []corev1.KeyToPath) {
	for i := range items {
		items[i].Key, items[i].Path = "", ""
	}
}

func clearDownward(d *corev1.DownwardAPIProjection) {
	for i := range d.Items {
		d.Items[i].Path, d.Items[i].FieldRef = "", nil
	}
}

// leaves are the paths of everything in a JSON value that is not empty.
func leaves(path string, value any) []string {
	var left []string
	switch v := value.(type) {
	case map[string]any:
		for key, one := range v {
			left = append(left, leaves(path+"."+key, one)...)
		}
	case []any:
		for _, one := range v {
			left = append(left, leaves(path+"[]", one)...)
		}
	case nil:
	case string:
		if v != "" {
			left = append(left, path)
		}
	default:
		left = append(left, path)
	}
	return left
}
