// SPDX-License-Identifier: Apache-2.0

// Package parts makes what a test control plane consists of: it builds the
// programs pinned in hack/controlplane from source, or those of the oldest
// Kubernetes that is supported where CONTROLPLANE=oldest says so, once, into the ignored
// cache folder, and finds the manifests pinned in hack/controlplane/crds in
// Go's module cache. Nothing is downloaded except by the go command.
package parts
