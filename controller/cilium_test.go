// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
)

func TestCiliumOf(t *testing.T) {
	settings := func(pairs ...string) *corev1.ConfigMap {
		data := map[string]string{"enable-policy": "default", "enable-l7-proxy": "true", "policy-audit-mode": "false", "cluster-name": "east"}
		for i := 0; i < len(pairs); i += 2 {
			data[pairs[i]] = pairs[i+1]
		}
		return &corev1.ConfigMap{Data: data}
	}
	agent := func(name, image string) *appsv1.DaemonSet {
		d := &appsv1.DaemonSet{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other", Image: "x:v9.9.9"}, {Name: name, Image: image}}
		return d
	}
	tests := []struct {
		name     string
		settings *corev1.ConfigMap
		agent    *appsv1.DaemonSet
		want     mesh.Cilium
	}{
		{name: "nothing known", want: mesh.Cilium{Unmodelled: []string{"ConfigMap cilium-config not found"}}},
		{name: "as modelled", settings: settings(), agent: agent("cilium-agent", "quay.io/cilium/cilium:v1.20.2"), want: mesh.Cilium{Cluster: "east", Version: "1.20.2"}},
		{name: "with a digest", settings: settings(), agent: agent("cilium-agent", "reg:5000/cilium:v1.19.0@sha256:abc"), want: mesh.Cilium{Cluster: "east", Version: "1.19.0"}},
		{name: "a pre-release", settings: settings(), agent: agent("cilium-agent", "cilium:1.21.0-rc.1"), want: mesh.Cilium{Cluster: "east", Version: "1.21.0"}},
		{name: "by digest alone", settings: settings(), agent: agent("cilium-agent", "cilium@sha256:abc"), want: mesh.Cilium{Cluster: "east"}},
		{name: "a port is no version", settings: settings(), agent: agent("cilium-agent", "reg:1.2.3/cilium"), want: mesh.Cilium{Cluster: "east"}},
		{name: "another container", settings: settings(), agent: agent("sidecar", "cilium:v1.20.2"), want: mesh.Cilium{Cluster: "east"}},
		{name: "settings that change verdicts", settings: settings("enable-policy", "always", "policy-audit-mode", "True", "enable-ztunnel", "true"),
			agent: agent("cilium-agent", "cilium:v1.20.2"),
			want:  mesh.Cilium{Cluster: "east", Version: "1.20.2", Unmodelled: []string{"enable-policy=always", "enable-ztunnel=true", "policy-audit-mode=True"}}},
		{name: "other labels", settings: settings("labels", "k8s:app"), agent: agent("cilium-agent", "cilium:v1.20.2"),
			want: mesh.Cilium{Cluster: "east", Version: "1.20.2", Unmodelled: []string{"labels=k8s:app"}}},
		{name: "of every cluster, and there is one", settings: settings("policy-default-local-cluster", "false", "cluster-id", "0"), agent: agent("cilium-agent", "cilium:v1.20.2"),
			want: mesh.Cilium{Cluster: "east", Version: "1.20.2"}},
		{name: "of every cluster of a mesh", settings: settings("policy-default-local-cluster", "false", "cluster-id", "3"), agent: agent("cilium-agent", "cilium:v1.20.2"),
			want: mesh.Cilium{Cluster: "east", Version: "1.20.2", AnyCluster: true, Unmodelled: []string{"policy-default-local-cluster=false in a mesh of clusters"}}},
		{name: "of this cluster of a mesh, by default since 1.19", settings: settings("cluster-id", "3"), agent: agent("cilium-agent", "cilium:v1.19.6"),
			want: mesh.Cilium{Cluster: "east", Version: "1.19.6"}},
		{name: "of every cluster of a mesh, by default before", settings: settings("cluster-id", "3"), agent: agent("cilium-agent", "cilium:v1.18.11"),
			want: mesh.Cilium{Cluster: "east", Version: "1.18.11", AnyCluster: true, Unmodelled: []string{"policy-default-local-cluster=false in a mesh of clusters"}}},
		{name: "of this cluster of a mesh, as set", settings: settings("cluster-id", "3", "policy-default-local-cluster", "true"), agent: agent("cilium-agent", "cilium:v1.18.11"),
			want: mesh.Cilium{Cluster: "east", Version: "1.18.11"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ciliumOf(test.settings, test.agent)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}
