// SPDX-License-Identifier: Apache-2.0

// Package cluster is a control plane with everything around daprise that a real cluster has, and daprise itself installed from
// deploy/base: its own ServiceAccount, RBAC, webhook configurations and policies. Only two things differ from a real
// installation: daprise-webhook runs as a process of this machine, so the webhook configurations name it by URL, and its Pods are
// played by kwok like all others.
package cluster
