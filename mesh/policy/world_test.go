// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestAnswers: what is found of a companion is asked for once for the same flows, whichever routes make them, and nothing is remembered of
// more routes or questions than are worth it.
func TestAnswers(t *testing.T) {
	app, other, ingress := mesh.AppRef{Namespace: "shop", ID: "a"}, mesh.AppRef{Namespace: "shop", ID: "b"}, mesh.AppRef{Namespace: "infra", ID: "ingress"}
	route := func(name string, to mesh.AppRef) mesh.RouteTarget {
		return mesh.RouteTarget{Route: mesh.Object{Kind: mesh.KindHTTPRoute, Namespace: "shop", Name: name}, Ingress: ingress, App: to}
	}
	var many []mesh.RouteTarget
	for i := range 100 {
		many = append(many, route(fmt.Sprint(i), app))
	}
	answers := policy.NewAnswers()
	for _, step := range []struct {
		name    string
		answers *policy.Answers
		ref     mesh.AppRef
		routes  []mesh.RouteTarget
		want    bool
	}{
		{"the first time", answers, app, []mesh.RouteTarget{route("x", app)}, true},
		{"again", answers, app, []mesh.RouteTarget{route("x", app)}, false},
		{"by a route of another name, twice", answers, app, []mesh.RouteTarget{route("y", app), route("z", app)}, false},
		{"of another companion", answers, other, []mesh.RouteTarget{route("x", app)}, true},
		{"with another flow", answers, app, []mesh.RouteTarget{route("x", app), route("x", other)}, true},
		{"the same in another order", answers, app, []mesh.RouteTarget{route("x", other), route("x", app)}, false},
		{"with none", answers, app, nil, true},
		{"many routes", answers, app, many, true},
		{"many routes again", answers, app, many, true},
		{"nobody remembers", nil, app, nil, true},
	} {
		judged := false
		step.answers.Coverage(step.ref, step.routes, func() []mesh.Finding {
			judged = true
			return nil
		})
		if judged != step.want {
			t.Errorf("%s: judged %v, want %v", step.name, judged, step.want)
		}
	}
}
