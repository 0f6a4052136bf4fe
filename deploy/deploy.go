// SPDX-License-Identifier: Apache-2.0

// Package deploy is the manifests of this folder as the binary carries them.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed base overlays
var files embed.FS

// Files are the kustomizations: "base", where daprise signs its certificate itself, and "overlays/cert-manager".
func Files() fs.FS { return files }
