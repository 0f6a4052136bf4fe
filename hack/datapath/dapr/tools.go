// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools pins Dapr's programs for the data path suite, so that their
// versions and checksums are those of this module's go.mod and go.sum. What is
// built of them, and with which tags, is listed in test/datapath/build.
package tools

import (
	_ "github.com/dapr/dapr/cmd/daprd"
	_ "github.com/dapr/dapr/cmd/operator"
	_ "github.com/dapr/dapr/cmd/placement"
	_ "github.com/dapr/dapr/cmd/scheduler"
	_ "github.com/dapr/dapr/cmd/sentry"
)
