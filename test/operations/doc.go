// SPDX-License-Identifier: Apache-2.0

// Package operations holds daprise's chart as Helm renders, installs, upgrades and removes it, on a real control plane. The API server
// calls the webhooks through their real Service: it resolves the Service's EndpointSlices by itself (--enable-aggregator-routing). Only the
// kubelet is played: the Deployment asks for nodes that do not exist, and processes of this machine are the endpoints in its Pods' stead.
// `make chart` runs it (build tag helm, since Helm takes minutes to build).
package operations
