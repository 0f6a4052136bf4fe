// SPDX-License-Identifier: Apache-2.0

// Package alerts holds the chart's alerts against Prometheus's own rule engine: each fires where it should, says what it should, and is quiet
// where all is well. It is a module of its own because of Prometheus's size; `make alerts` runs it.
package alerts
