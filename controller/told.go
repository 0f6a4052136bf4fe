// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// told is what routes and other companions were last told of a companion.
type told struct {
	enrolled   any
	state      mesh.CompanionState
	covered    bool
	references []string
	// peers are the companions at the other ends of its routes.
	peers []mesh.AppRef
}

// readmitIfNew has an enrolment's routes looked at again if what they depend on is new, and the companions at the other ends of routes
// that are new or gone: they let it in or no longer do.
func (c *companions) readmitIfNew(t target, peers []mesh.AppRef) {
	now := told{enrolled: t.enrolled, state: t.state, covered: coveredCondition(t.findings).Status == metav1.ConditionTrue, peers: peers}
	switch e := t.enrolled.(type) {
	case mesh.App:
		now.references = []string{serviceReference(mesh.Name{Namespace: e.Namespace, Name: e.Service}), appReference(t.ref)}
	case mesh.Ingress:
		now.references = []string{
			gatewayReference(mesh.Name{Namespace: e.Namespace, Name: e.Gateway}),
			serviceReference(mesh.Name{Namespace: e.Namespace, Name: mesh.CompanionName(e.ID)}),
		}
	}
	c.mu.Lock()
	before, known := c.told[t.ref]
	c.told[t.ref] = now
	c.mu.Unlock()
	if known && reflect.DeepEqual(before, now) {
		return
	}
	c.again(difference(before.peers, now.peers)...)
	before.peers, now.peers = nil, nil
	if !known || !reflect.DeepEqual(before, now) {
		c.readmit(sortedUnion(before.references, now.references))
	}
}

// readmitGone has the routes of a former enrolment looked at again, once, and the companions at their other ends.
func (c *companions) readmitGone(ref mesh.AppRef) {
	c.mu.Lock()
	before, known := c.told[ref]
	delete(c.told, ref)
	c.mu.Unlock()
	// Routes that still go through the companion are found even if this process never saw the enrolment.
	own := []string{appReference(ref), serviceReference(mesh.Name{Namespace: ref.Namespace, Name: mesh.CompanionName(ref.ID)})}
	if known {
		own = append(own, before.references...)
	}
	c.readmit(sortedUnion(own, nil))
	c.again(before.peers...)
}

// peersOf are, for a companion of a prospective View, those at the other ends of its routes. Sorted, each once.
func peersOf(view *mesh.View, ref mesh.AppRef) []mesh.AppRef {
	var peers []mesh.AppRef
	for _, target := range view.Routes {
		switch ref {
		case target.App:
			peers = append(peers, target.Ingress)
		case target.Ingress:
			peers = append(peers, target.App)
		}
	}
	slices.SortFunc(peers, compareRefs)
	return slices.Compact(peers)
}

// difference is what only one of two sorted lists holds.
func difference(a, b []mesh.AppRef) []mesh.AppRef {
	only := func(all, without []mesh.AppRef) []mesh.AppRef {
		return slices.DeleteFunc(slices.Clone(all), func(ref mesh.AppRef) bool {
			_, found := slices.BinarySearchFunc(without, ref, compareRefs)
			return found
		})
	}
	return append(only(a, b), only(b, a)...)
}

func compareRefs(a, b mesh.AppRef) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.SortFunc(all, cmp.Compare)
	return slices.Compact(all)
}
