// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Planned is what the controller would do about one companion.
type Planned struct {
	Ref mesh.AppRef
	// Enrolled says that an enrolment asks for the companion; one without is on its way out.
	Enrolled bool
	// Apply are the objects that would be written since they are not stored as they should be, in the order of writing; Remove those that
	// would be deleted then.
	Apply, Remove []client.Object
	// Held says why the workload would not be created, or what a companion on its way out waits for; empty for most.
	Held string
	// Findings are those of the companion's coverage, before modes.
	Findings []mesh.Finding
	State    mesh.CompanionState
}

// Plan is what the controller would do about the companions of the namespaces that a need names, all in the World that it returns
// too. It writes nothing. Sorted by namespace and app ID.
func (l *Loader) Plan(ctx context.Context, need mesh.Need) ([]Planned, policy.World, error) {
	loaded, err := l.load(ctx, l.door, need)
	if err != nil {
		return nil, policy.World{}, fmt.Errorf("load the view: %w", err)
	}
	refs, err := l.refs(ctx, loaded, need)
	if err != nil {
		return nil, loaded.world, err
	}
	c := &companions{loader: l}
	planned := make([]Planned, 0, len(refs))
	for _, ref := range refs {
		p, err := c.planned(ctx, occasion{loaded: loaded, ref: ref})
		if err != nil {
			return nil, loaded.world, fmt.Errorf("plan the companion of %s: %w", ref, err)
		}
		planned = append(planned, p)
	}
	return planned, loaded.world, nil
}

// refs are the companions that are asked for or exist.
func (l *Loader) refs(ctx context.Context, loaded loaded, need mesh.Need) ([]mesh.AppRef, error) {
	var refs []mesh.AppRef
	view := loaded.world.View
	for _, a := range view.Apps {
		refs = append(refs, a.AppRef)
	}
	for _, g := range view.Ingresses {
		refs = append(refs, g.AppRef)
	}
	refs = slices.DeleteFunc(refs, func(r mesh.AppRef) bool { return !slices.Contains(need.Namespaces, r.Namespace) })
	for _, ns := range need.Namespaces {
		for _, k := range append(ownedKinds(), kindCiliumPolicy) {
			objects, _, err := list[client.Object](ctx, l.door, k, scope{namespace: ns})
			if err != nil {
				return nil, err
			}
			for _, object := range objects {
				if id := object.GetLabels()[mesh.LabelInstance]; isOurs(object, id) {
					refs = append(refs, mesh.AppRef{Namespace: ns, ID: id})
				}
			}
		}
	}
	slices.SortFunc(refs, func(a, b mesh.AppRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(refs), nil
}

// planned plans for one companion as Reconcile does.
func (c *companions) planned(ctx context.Context, o occasion) (Planned, error) {
	var err error
	if o.exists, err = c.observe(ctx, o.world.View, o.ref); err != nil {
		return Planned{}, err
	}
	t, enrolled, err := c.target(o)
	if err != nil {
		return Planned{}, err
	}
	result := Planned{Ref: o.ref, Enrolled: enrolled, Findings: t.findings, State: t.state}
	var p plan
	if enrolled {
		for _, f := range o.world.View.Foreign {
			if f.Namespace == o.ref.Namespace && slices.ContainsFunc(t.objects, func(object client.Object) bool { return isObject(object, f) }) {
				o.exists.foreign = append(o.exists.foreign, f)
			}
		}
		p = planStay(t, o.exists)
		if p.held != nil {
			result.Held = p.held.message
		}
	} else {
		p = planLeave(o.exists)
		result.Held = p.leaving
	}
	for _, wave := range p.waves {
		result.Apply = append(result.Apply, wave...)
	}
	result.Remove = p.remove
	return result, nil
}
