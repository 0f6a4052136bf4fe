// SPDX-License-Identifier: Apache-2.0

// Package build makes the real programs of a data path from source, once, into
// the ignored cache: Dapr's sentry, operator and daprd, Traefik, CoreDNS and
// kube-proxy.
package build
