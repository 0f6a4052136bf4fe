// SPDX-License-Identifier: Apache-2.0

// Package release holds what builds, tests and releases the project to what is there: workflows, Dependabot, the Makefile and the scripts.
package release
