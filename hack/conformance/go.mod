// This module has no Go code: it pins the modules whose routes test/routes
// reads. Their versions must be those in the project's own go.mod: the tests
// compare them.
//
// Not tidied: nothing is imported, so nothing would be left.
module github.com/daprise/daprise/hack/conformance

go 1.26.5

require (
	github.com/cilium/cilium v1.20.2
	sigs.k8s.io/gateway-api/conformance v1.6.3
)
