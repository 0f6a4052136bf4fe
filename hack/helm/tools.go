//go:build tools

// SPDX-License-Identifier: Apache-2.0

// Package helm pins Helm, with which test/operations installs the chart. It has a module of its own because Helm brings over a hundred
// dependencies, of which daprise needs none; Kubernetes' libraries are at the version of hack/controlplane, so that what kubectl was
// compiled from is used again.
package helm

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "helm.sh/helm/v4/cmd/helm"
)
