// This module has no Go code: it pins the modules whose manifests (CRDs) the
// control plane of the oldest supported Kubernetes installs: the oldest
// supported versions of Cilium, Dapr and Gateway API.
//
// Not tidied: nothing is imported, so nothing would be left.
module github.com/daprise/daprise/hack/controlplane/oldest/crds

go 1.26.5

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cilium/cilium v1.16.19
	github.com/dapr/dapr v1.15.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.2.1
)
