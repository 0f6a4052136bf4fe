// SPDX-License-Identifier: Apache-2.0

// Package imports holds the tests of how the code is laid out: which package
// may import which (mesh/rawjson ← mesh ← mesh/policy, mesh/companion,
// mutate, validate ← webhook, controller ← cmd), what the pure packages may
// touch, and how long functions and files may be.
package imports
