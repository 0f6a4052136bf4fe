// SPDX-License-Identifier: Apache-2.0

// Package world brings up a cluster on which traffic really flows, in
// namespaces of its own on this machine: the control plane with scheduler and
// kube-proxy (nftables), network policy by Cilium's own verdicts, CoreDNS, Dapr's sentry and operator, Traefik as the
// gateway, and daprise from deploy/base unchanged, two replicas. Every Pod runs
// as processes with an address of their own (test/datapath/kubelet).
//
// The layout: one network namespace is the node and holds the control plane,
// kube-proxy, the kubelet and the test itself. Each Pod has a network namespace
// whose only link leads to the node, so that all it sends and receives is
// routed, translated (Services) and seen there.
//
// Nothing outlives a run, however that ends: the test runs again in a process,
// mount and network namespace of its own (Isolate), and when its first process
// ends, the kernel ends all others and drops the rest.
package world
