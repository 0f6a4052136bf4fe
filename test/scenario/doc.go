// SPDX-License-Identifier: Apache-2.0

// Package scenario plays the project's example (examples/whoami) on a real control plane, step by step, as a user would with kubectl,
// and checks after each step that the cluster is as it should be. The demo tells it to a person; the test suite runs the same steps.
package scenario
