// This module has no Go code: it pins the modules whose manifests (CRDs) the
// test control plane installs. The versions of those that the product also
// imports must be the ones in the project's own go.mod: test/controlplane
// compares them.
//
// Not tidied: nothing is imported, so nothing would be left.
module github.com/daprise/daprise/hack/controlplane/crds

go 1.26.5

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cilium/cilium v1.20.2
	github.com/dapr/dapr v1.18.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
)
