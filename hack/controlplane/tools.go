// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools pins the programs of the test control plane, so that their
// versions and checksums are those of this module's go.mod and go.sum. What is
// built of them is listed in test/controlplane/parts.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "sigs.k8s.io/kwok/cmd/kwok"
)
