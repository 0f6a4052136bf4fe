// SPDX-License-Identifier: Apache-2.0

// Package operations runs daprise as it is deployed, several replicas behind their Service, on a real control plane: what becomes of it when
// replicas roll, hang or die, watches go silent, certificates and webhook configurations are changed. With the build tag helm (`make chart`,
// since Helm takes minutes to build) it also holds daprise's chart as Helm renders, installs, upgrades and removes it. The API server
// calls the webhooks through their real Service: it resolves the Service's EndpointSlices by itself (--enable-aggregator-routing). Only the
// kubelet is played: the Deployment asks for nodes that do not exist, and processes of this machine are the endpoints in its Pods' stead.
package operations
