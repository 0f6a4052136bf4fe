// SPDX-License-Identifier: Apache-2.0

// Package controlplane runs a real Kubernetes control plane on loopback ports:
// etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with kwok in
// the place of nodes and kubelets, so that pods become Ready, DaemonSets have
// nodes and rollouts finish without a container ever running.
//
// A test package shares one control plane through TestMain (Main) or starts its
// own (For). Everything is started from a folder of its own and nothing is left
// behind: not when a test panics or is killed either, since the kernel ends
// the processes with the one that started them (Linux).
package controlplane
