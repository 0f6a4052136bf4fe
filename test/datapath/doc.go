// SPDX-License-Identifier: Apache-2.0

// Package datapath proves by running it what daprise renders: a request enters a
// real gateway, goes through the ingress companion, over Dapr's mTLS to the
// app's companion, and reaches the app, with nothing configured by hand beyond
// the user's annotated manifests. `make e2e` runs it (build tag e2e); it needs
// root on Linux.
package datapath
