// SPDX-License-Identifier: Apache-2.0

// Package mesh holds the plain values that daprise decides over: the keys it reads and writes, enrolments and what they
// resolve to (apps and ingresses), findings, the configuration file, and the View, which is the part of a cluster that one
// decision needs. It is pure: no client, no clock, no environment.
package mesh
