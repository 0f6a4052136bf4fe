// SPDX-License-Identifier: Apache-2.0

// Package model predicts what gateways and Dapr do with a request: which rule of the routes takes it (the Gateway API's precedence),
// how the gateway rewrites it (the specification, Cilium up to 1.18, Cilium from 1.19, Traefik), and what a daprd in the role of an
// ingress companion makes of the path and headers that arrive. It decides on plain values and shares no code with mutate, so that "a
// rewritten route means the same" can be held against something that is not the rewriting itself. The data-path suite holds the
// models against a real gateway and real daprds.
package model
