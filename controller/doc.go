// SPDX-License-Identifier: Apache-2.0

// Package controller is the cluster edge of daprise. It loads the View that decisions read (Loader), applies the companions' objects,
// has routes admitted again when what they depend on changed, and reports by conditions, Events and metrics. What to apply, to keep back
// or to remove is decided by pure functions (plan.go, conditions.go, touch.go); the rest only reads and writes.
package controller
