// SPDX-License-Identifier: Apache-2.0

// Package kubelet plays the part of a kubelet for tests of a data path, with
// processes in the place of containers. It registers a Node as system:node:NAME,
// takes the Pods that the real scheduler binds to it, gives each a network
// namespace and an address, and runs every container's command with its
// arguments, environment, volumes, projected tokens (real TokenRequests bound
// to the Pod), user and root file system. It performs the probes, restarts what
// ends, honours preStop sleeps and grace periods, and reports status: endpoints,
// readiness and rollouts are real.
//
// Only what it honours, and what honours.go lists as harmless with the reason,
// may be in a Pod; any other field is refused aloud (Kubelet.Err).
//
// It needs root and Linux, and must run in a network and mount namespace of the
// test's own.
package kubelet
