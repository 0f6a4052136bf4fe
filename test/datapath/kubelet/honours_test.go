// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// minimal is a Pod as the API server defaults it.
func minimal() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{
		NodeName: "node-1", ServiceAccountName: "default", RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst,
		SchedulerName: "default-scheduler", TerminationGracePeriodSeconds: new(int64(30)), SecurityContext: &corev1.PodSecurityContext{},
		Containers: []corev1.Container{{
			Name: "c", Image: "i", ImagePullPolicy: corev1.PullIfNotPresent,
			TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		}},
	}}
}

func TestUnhonoured(t *testing.T) {
	for _, test := range []struct {
		name  string
		tweak func(*corev1.PodSpec)
		want  []string
	}{
		{name: "a minimal Pod", tweak: func(*corev1.PodSpec) {}},
		{
			name:  "host network",
			tweak: func(s *corev1.PodSpec) { s.HostNetwork = true },
			want:  []string{"spec.hostNetwork"},
		},
		{
			name: "init container",
			tweak: func(s *corev1.PodSpec) {
				s.InitContainers = []corev1.Container{{Name: "first"}}
			},
			want: []string{"spec.initContainers[].name"},
		},
		{
			name: "host path",
			tweak: func(s *corev1.PodSpec) {
				s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
			},
			want: []string{"spec.volumes[].hostPath.path"},
		},
		{
			name:  "restart policy",
			tweak: func(s *corev1.PodSpec) { s.RestartPolicy = corev1.RestartPolicyNever },
			want:  []string{"spec.restartPolicy"},
		},
		{
			name: "an exec probe",
			tweak: func(s *corev1.PodSpec) {
				s.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
			},
			want: []string{"spec.containers[].livenessProbe.exec.command[]"},
		},
		{
			name: "an added capability",
			tweak: func(s *corev1.PodSpec) {
				s.Containers[0].SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}}
			},
			want: []string{"spec.containers[].securityContext.capabilities.add[]"},
		},
		{
			name: "a mode of one file",
			tweak: func(s *corev1.PodSpec) {
				s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
					SecretName: "s", Items: []corev1.KeyToPath{{Key: "a", Path: "b", Mode: new(int32(0o400))}},
				}}}}
			},
			want: []string{"spec.volumes[].secret.items[].mode"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := minimal()
			test.tweak(&pod.Spec)
			if diff := cmp.Diff(test.want, unhonoured(pod)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	e := &environment{values: map[string]string{}}
	e.set("A", "1")
	for text, want := range map[string]string{
		"":         "",
		"plain":    "plain",
		"$(A)":     "1",
		"x$(A)y":   "x1y",
		"$(B)":     "$(B)",
		"$$(A)":    "$(A)",
		"$A$(A":    "$A$(A",
		"$(A)$(A)": "11",
		"a$":       "a$",
	} {
		if got := e.expand(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
