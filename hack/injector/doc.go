// SPDX-License-Identifier: Apache-2.0

// Package injector holds companions against Dapr itself, at the version of go.mod: what Dapr's injector would render for the same
// annotations, how daprd reads the arguments, and what Dapr makes of the Configurations. It has a module of its own because Dapr brings
// hundreds of dependencies. It contains tests alone: go test ./... in this folder.
package injector
