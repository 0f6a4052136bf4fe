// SPDX-License-Identifier: Apache-2.0

// Package policy says what Cilium's network policies mean for a flow: who may reach what, why, and what is missing. It is pure.
package policy

import (
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"

	"github.com/daprise/daprise/mesh"
)

// Policy is one policy object, compiled. Compile once per version (UID and resourceVersion) and reuse.
type Policy struct{}

// CompileCNP compiles a CiliumNetworkPolicy. An invalid rule voids the whole object, as in Cilium: the Policy then allows and
// denies nothing and says why (Void).
func CompileCNP(cnp *ciliumv2.CiliumNetworkPolicy) *Policy { return nil }

// Set is the policies that a decision reads.
type Set struct{}

// NewSet combines compiled policies. The order is irrelevant.
func NewSet(policies ...*Policy) *Set { return &Set{} }

// App judges the coverage of an app's companion in a View: flow F2 from each ingress companion that routes to it and from its
// callers, and isolation. Findings carry the companion's namespaces in Namespaces and severity Deny, before modes apply.
func App(view *mesh.View, set *Set, app mesh.App) []mesh.Finding { return nil }

// Ingress judges the coverage of an ingress companion in a View: flow F1 and isolation.
func Ingress(view *mesh.View, set *Set, ingress mesh.Ingress) []mesh.Finding { return nil }

// CoveringApp are the policies that daprise writes for an app's companion where policies are generated.
func CoveringApp(view *mesh.View, app mesh.App) []*ciliumv2.CiliumNetworkPolicy { return nil }

// CoveringIngress are the policies that daprise writes for an ingress companion where policies are generated.
func CoveringIngress(view *mesh.View, ingress mesh.Ingress) []*ciliumv2.CiliumNetworkPolicy { return nil }
