// SPDX-License-Identifier: Apache-2.0

// Package oracle answers questions about flows with Cilium's own policy engine, so that mesh/policy can be compared with it. It is a
// module of its own: the engine brings most of Cilium along. It is used by tests alone.
//
// The engine reads global settings (pkg/option); New sets those that a Helm installation of Cilium has by default and that differ from
// the defaults of the library. The numbers of a run are set by flags of the test: -rapid.checks, -rapid.seed.
package oracle
