// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"slices"
)

// claim is one enrolment of an app ID: either an app or an ingress, and the objects that ask for it, the oldest first.
type claim struct {
	app     *App
	ingress *Ingress
	members []member
}

func (c claim) ref() AppRef {
	if c.app != nil {
		return c.app.AppRef
	}
	return c.ingress.AppRef
}

// settle lets the oldest claim of each app ID stand. Apps and ingresses share one set of IDs: both are a Dapr identity.
func (r *resolver) settle(claims []claim) []claim {
	slices.SortStableFunc(claims, func(a, b claim) int { return compareAge(a.members[0], b.members[0]) })
	var standing []claim
	at := make(map[AppRef]int, len(claims))
	for _, c := range claims {
		i, taken := at[c.ref()]
		if !taken {
			at[c.ref()] = len(standing)
			standing = append(standing, c)
			continue
		}
		for _, m := range c.members {
			field := "metadata.name"
			if _, set := m.values[AnnotationAppID]; set || m.object.Kind == KindDeployment {
				field = annotationField(AnnotationAppID)
			}
			r.deny(denied(m.object, CodeAppIDTaken, reason{field,
				"app ID " + quoted(c.ref().ID) + " belongs to " + standing[i].members[0].object.String(),
				"Set dapr.io/app-id to another, one that no other object in the namespace has."}))
		}
	}
	return standing
}

// compareAge puts the older object first; one without a creationTimestamp is not stored yet and the youngest.
func compareAge(a, b member) int {
	at, bt := a.meta.GetCreationTimestamp(), b.meta.GetCreationTimestamp()
	switch {
	case at.IsZero() && !bt.IsZero():
		return 1
	case bt.IsZero() && !at.IsZero():
		return -1
	}
	return cmp.Or(at.Compare(bt.Time),
		cmp.Compare(a.object.Namespace, b.object.Namespace),
		cmp.Compare(a.object.Name, b.object.Name),
		cmp.Compare(a.object.Kind, b.object.Kind))
}
