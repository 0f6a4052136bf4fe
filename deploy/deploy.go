// SPDX-License-Identifier: Apache-2.0

// Package deploy is the manifests of this folder as the binary carries them.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed base components overlays
var files embed.FS

// Files are the kustomizations: "base", where daprise signs its certificate itself, under "overlays" also "self-signed", "cert-manager" and
// "dev", and the component "components/syntax".
func Files() fs.FS { return files }
