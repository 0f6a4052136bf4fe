// SPDX-License-Identifier: Apache-2.0

// Package companion renders the objects of a Dapr Shared instance as typed values. It is pure.
package companion

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
)

// Input is what a companion needs to know beside its App or Ingress.
type Input struct {
	Config mesh.Config
	// TrustAnchors is the PEM of Dapr's public trust bundle (ConfigMap dapr-trust-bundle, key ca.crt).
	TrustAnchors string
	// Callers are all who may invoke the app: ingress companions that route to it and the app's own callers.
	Callers []mesh.AppRef
}

// App renders the objects of an app's companion. It does not modify its arguments; equal arguments give equal objects.
func App(app mesh.App, in Input) []runtime.Object { return nil }

// Ingress renders the objects of a Gateway's companion, on the same terms as App.
func Ingress(ingress mesh.Ingress, in Input) []runtime.Object { return nil }
