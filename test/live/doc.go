// SPDX-License-Identifier: Apache-2.0

// Package live holds the CLI against a cluster: the binary itself runs, as people run it, and reads and writes a real API server with
// daprise on it.
package live
