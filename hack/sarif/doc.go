// SPDX-License-Identifier: Apache-2.0

// Package sarif holds what `daprise analyze -o sarif` writes against the schema of SARIF 2.1.0 as OASIS published it, which a library for
// SARIF carries in its source. It has a module of its own for that library and a validator of JSON schemas. It contains tests alone: make
// sarif.
package sarif
