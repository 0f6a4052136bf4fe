// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// previous is how the stored route reaches apps: straight, or through a companion.
type previous struct {
	direct  map[mesh.AppRef]bool
	through map[mesh.AppRef]bool
}

// previous reads the stored route. Rules that cannot be read say nothing: they were no way to an app.
func (m *mutation) previous() previous {
	p := previous{}
	if m.old == nil {
		return p
	}
	p.direct, p.through = make(map[mesh.AppRef]bool), make(map[mesh.AppRef]bool)
	for _, raw := range m.old.Spec.Rules {
		r, err := decodeRule(m.kind, raw)
		if err != nil {
			continue
		}
		for _, app := range m.apps(r) {
			p.direct[app.AppRef] = true
		}
		if len(m.apps(r)) > 0 {
			continue
		}
		for i := range r.BackendRefs {
			if invocation, ok := mesh.BackendInvocation(r.Filters, r.BackendRefs[i].Filters); ok {
				p.through[invocation.App] = true
			}
		}
	}
	return p
}

// joins says whether a rule has to wait: requests go straight to one of its apps today, and a companion, the companion's gRPC port or
// the Service in front of it for one app of several is not there to take them.
func (m *mutation) joins(p previous, planned *plan) bool {
	ready := planned.ingress.Companion.Ready && (m.kind != mesh.KindGRPCRoute || planned.ingress.GRPCServed)
	if planned.target.split != "" {
		for i := range planned.BackendRefs {
			service := mesh.Name{Namespace: planned.ingress.Namespace, Name: planned.target.share(i).service}
			ready = ready && slices.Contains(m.view.CompanionServices, service)
		}
	}
	for i := range planned.apps {
		app := &planned.apps[i]
		if p.direct[app.AppRef] && !p.through[app.AppRef] && (!ready || !app.Companion.Ready) {
			return true
		}
	}
	return false
}

// unchanged says whether an update leaves everything as it was that is judged here.
func (m *mutation) unchanged() bool {
	if m.old == nil || !slices.EqualFunc(m.route.Spec.Rules, m.old.Spec.Rules, sameBytes) {
		return false
	}
	ours := func(r *route) [3]string {
		a := r.Metadata.Annotations
		return [3]string{a[mesh.AnnotationOriginal], a[mesh.AnnotationEnabled], a[mesh.AnnotationInvoke]}
	}
	return ours(m.route) == ours(m.old) && equalParents(mesh.Parents(m.namespace, m.old.Spec.ParentRefs), m.parents)
}

func sameBytes(a, b json.RawMessage) bool { return bytes.Equal(a, b) }

func equalParents(a, b mesh.RouteParents) bool {
	return slices.Equal(a.Gateways, b.Gateways) && slices.Equal(a.Services, b.Services) &&
		slices.Equal(a.ListenerSets, b.ListenerSets) && a.Others == b.Others
}
