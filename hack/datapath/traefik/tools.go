// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools pins Traefik for the data path suite, so that its version and
// checksums are those of this module's go.mod and go.sum.
package tools

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
)
