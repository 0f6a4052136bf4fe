// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Openings are the policies that daprise writes beside a companion's isolation where policies are generated: what the companion sends
// (F3, F5, and to the companions that it calls), and what the app's pods of its namespace let in (F3). There is one only where a policy
// closes that direction for those pods already; it lets pass the flows alone and closes nothing. It is owned by the enrolled object. Openings
// does not modify its arguments.
func Openings(view *mesh.View, set *Set, ref mesh.AppRef) []*ciliumv2.CiliumNetworkPolicy {
	c, owner, ok := companionIn(view, ref)
	if !ok {
		return nil
	}
	var list []*ciliumv2.CiliumNetworkPolicy
	if set.closes(c.endpoint, egress) {
		list = append(list, c.openingPolicy(owner, mesh.OutName(ref.ID)))
		list[0].Spec = c.sendingAll(view)
	}
	var seen []string
	for _, n := range c.flows {
		if !n.toApp || n.sending || n.to.namespace != ref.Namespace || slices.Contains(seen, n.to.object) || !set.closes(n.to.endpoint, ingress) {
			continue
		}
		seen = append(seen, n.to.object)
		p := c.openingPolicy(owner, mesh.ToName(ref.ID, n.to.object))
		p.Spec = opening(n.to).receiving(n.from, c.portsTo(n)...)
		list = append(list, p)
	}
	return list
}

func companionIn(view *mesh.View, ref mesh.AppRef) (*companion, mesh.Owner, bool) {
	if g, ok := view.Ingress(ref); ok {
		return ofIngress(view, g), g.Owner, true
	}
	if a, ok := view.App(ref); ok {
		return ofApp(view, a), a.Owner, true
	}
	return nil, mesh.Owner{}, false
}

// openingPolicy begins an opening. Unlike the isolating policy it may go with the enrolled object: it closes nothing.
func (c *companion) openingPolicy(owner mesh.Owner, name string) *ciliumv2.CiliumNetworkPolicy {
	p := coveringPolicy(c.ref, c.component)
	p.Name = name
	p.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: owner.Object.APIVersion, Kind: owner.Object.Kind, Name: owner.Object.Name, UID: owner.UID,
		Controller: new(true), BlockOwnerDeletion: new(false),
	}}
	return p
}

// callees are the companions that a companion calls: those of the apps that it routes to, or that name it a caller. Sorted as the View is.
func callees(view *mesh.View, ref mesh.AppRef) []mesh.AppRef {
	var refs []mesh.AppRef
	for _, a := range view.Apps {
		if slices.Contains(look(view).callersOf(a), ref) {
			refs = append(refs, a.AppRef)
		}
	}
	return refs
}
