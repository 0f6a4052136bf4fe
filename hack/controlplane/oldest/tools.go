// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools pins the oldest Kubernetes that daprise supports, for control planes of that version: CONTROLPLANE=oldest. etcd and kwok
// are those of hack/controlplane, as they are no part of Kubernetes. What is built of this module is listed in test/controlplane/parts.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
