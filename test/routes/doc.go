// SPDX-License-Identifier: Apache-2.0

// Package routes holds the rewriting of routes against what must be true of every outcome: over generated routes, over the goldens of
// mutate, and over every HTTPRoute and GRPCRoute in the Gateway API's conformance tests and Cilium's test data; each through the models
// of gateways and Dapr in test/model, and against a real API server's schema.
package routes
