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
		if t, ok := namedTarget(m.namespace, r); ok && len(m.apps(r)) == 0 {
			p.through[t.app] = true
		}
	}
	return p
}

// joins says whether a rule to an app has to wait: requests go straight to the app today, and a companion is not ready to take them.
func (p previous) joins(app mesh.App, ingress mesh.Ingress) bool {
	return p.direct[app.AppRef] && !p.through[app.AppRef] && (!app.Companion.Ready || !ingress.Companion.Ready)
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
