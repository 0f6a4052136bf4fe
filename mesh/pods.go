// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodSet is pods of one namespace that network policy cannot tell apart: the same labels, ServiceAccount and named ports.
type PodSet struct {
	Namespace string
	// Name is that of one of them, the first by name.
	Name           string
	Labels         map[string]string
	ServiceAccount string
	// Ports are the named TCP ports of their containers.
	Ports map[string]int32
	// Companion is the app ID of the companion that they are pods of, or empty for pods that daprise's workloads did not make.
	Companion string
}

// PodSets are the sets of pods, sorted by namespace and name. Pods that have ended are left out, and those on their node's own network,
// which no policy selects by labels. It does not modify the pods.
func PodSets(pods []*corev1.Pod) []PodSet {
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	var sets []PodSet
	byLabels := map[string][]int{}
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.Spec.HostNetwork {
			continue
		}
		set := podSetOf(pod)
		key := labelsKey(set)
		if slices.ContainsFunc(byLabels[key], func(i int) bool { return alike(sets[i], set) }) {
			continue
		}
		byLabels[key] = append(byLabels[key], len(sets))
		sets = append(sets, set)
	}
	return sets
}

func podSetOf(pod *corev1.Pod) PodSet {
	set := PodSet{
		Namespace: pod.Namespace, Name: pod.Name, Labels: maps.Clone(pod.Labels), ServiceAccount: pod.Spec.ServiceAccountName,
		Companion: CompanionOfPod(pod),
	}
	// Labels of a rollout, which are not part of a pod's identity (cilium pkg/labelsfilter).
	delete(set.Labels, "pod-template-hash")
	delete(set.Labels, "controller-revision-hash")
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.Name == "" || !tcp(p.Protocol) {
				continue
			}
			if set.Ports == nil {
				set.Ports = map[string]int32{}
			}
			set.Ports[p.Name] = p.ContainerPort
		}
	}
	return set
}

// CompanionOfPod is the app ID of the companion that a pod is of, or empty. It tells pods of daprise's workloads by their owner: the DaemonSet
// of the companion, or a ReplicaSet of its Deployment.
func CompanionOfPod(pod metav1.Object) string {
	id, owner := pod.GetLabels()[LabelCompanion], metav1.GetControllerOf(pod)
	if id == "" || owner == nil {
		return ""
	}
	name := CompanionName(id)
	if owner.Kind == "DaemonSet" && owner.Name == name || owner.Kind == "ReplicaSet" && strings.HasPrefix(owner.Name, name+"-") {
		return id
	}
	return ""
}

func labelsKey(s PodSet) string {
	words := []string{s.Namespace, s.ServiceAccount}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		words = append(words, key+"="+s.Labels[key])
	}
	return strings.Join(words, ",")
}

func alike(a, b PodSet) bool {
	return a.Namespace == b.Namespace && a.ServiceAccount == b.ServiceAccount && a.Companion == b.Companion &&
		maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Ports, b.Ports)
}

// PodsOf are the sets of a namespace that a selector of labels selects; none for an empty selector.
func (v *View) PodsOf(namespace string, selector map[string]string) []PodSet {
	var found []PodSet
	for _, set := range v.Pods {
		if set.Namespace == namespace && len(selector) > 0 && subset(selector, set.Labels) {
			found = append(found, set)
		}
	}
	return found
}

func subset(selector, labels map[string]string) bool {
	for key, value := range selector {
		if have, ok := labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}
