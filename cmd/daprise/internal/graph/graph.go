// SPDX-License-Identifier: Apache-2.0

// Package graph draws the mesh: gateways, companions, apps, callers and traffic splits, and what network policy makes of each way.
package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Kind of a node; its value is the column that it stands in.
type Kind int

// Kinds, from the outside to the inside.
const (
	Gateway Kind = iota
	IngressCompanion
	Companion
	App
	Backend
)

// String is the kind in words.
func (k Kind) String() string {
	return [...]string{"gateway", "ingress companion", "companion", "app", "backend"}[k]
}

// State is what network policy makes of an edge.
type State string

// States.
const (
	// Covered: the flow passes, and its destination is closed to others.
	Covered State = "covered"
	// Blocked: the flow does not pass.
	Blocked State = "blocked"
	// Exposed: the flow passes, and others reach the destination, too.
	Exposed State = "exposed"
	// Plain edges are not judged: the way from a companion to its app, and splits behind it.
	Plain State = "plain"
)

// Node is one box.
type Node struct {
	ID        string         `json:"id"`
	Kind      Kind           `json:"kind"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Findings  []mesh.Finding `json:"findings,omitempty"`
}

// Edge is one arrow.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Label string `json:"label"`
	State State  `json:"state"`
}

// Graph is the mesh. Nodes are sorted by kind, namespace and name, Edges by their ends.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Split is one part of the traffic to an app's Service, by a route that attaches to it.
type Split struct {
	Service, Backend mesh.Name
	Weight           int32
}

// builder makes a graph of one World.
type builder struct {
	view *mesh.View
	set  *policy.Set
	// nodes finds nodes by ID; exposed holds companions that others reach.
	nodes   map[string]Node
	exposed map[mesh.AppRef]bool
	edges   []Edge
}

// Of draws a World, and the splits behind its apps.
func Of(w policy.World, splits []Split) Graph {
	b := &builder{view: w.View, set: w.Set, nodes: map[string]Node{}, exposed: map[mesh.AppRef]bool{}}
	for _, g := range b.view.Ingresses {
		b.ingress(g)
	}
	for _, a := range b.view.Apps {
		b.app(a)
	}
	for _, r := range b.view.Routes {
		b.call(r.Ingress, r.App, r.Route.Kind+" "+r.Route.Name)
	}
	for _, a := range b.view.Apps {
		for _, caller := range a.Callers {
			b.call(caller, a.AppRef, "caller")
		}
	}
	for _, s := range splits {
		b.split(s)
	}
	return b.graph()
}

func (b *builder) graph() Graph {
	g := Graph{Nodes: []Node{}, Edges: merged(b.edges)}
	for _, n := range b.nodes {
		g.Nodes = append(g.Nodes, n)
	}
	slices.SortFunc(g.Nodes, func(x, y Node) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return g
}

// merged are the edges, sorted, those between the same two nodes in one.
func merged(edges []Edge) []Edge {
	slices.SortStableFunc(edges, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.Label, y.Label))
	})
	all := []Edge{}
	for _, e := range edges {
		if n := len(all); n > 0 && all[n-1].From == e.From && all[n-1].To == e.To {
			if all[n-1].Label != e.Label {
				all[n-1].Label += ", " + e.Label
			}
			continue
		}
		all = append(all, e)
	}
	return all
}

func (b *builder) node(kind Kind, name mesh.Name) string {
	id := fmt.Sprintf("%d/%s", kind, name)
	if _, ok := b.nodes[id]; !ok {
		b.nodes[id] = Node{ID: id, Kind: kind, Namespace: name.Namespace, Name: name.Name}
	}
	return id
}

// companion is the node of a companion, with what is said about it.
func (b *builder) companion(ref mesh.AppRef, findings []mesh.Finding) string {
	kind := Companion
	if _, ok := b.view.Ingress(ref); ok {
		kind = IngressCompanion
	}
	id := b.node(kind, mesh.Name{Namespace: ref.Namespace, Name: ref.ID})
	if len(findings) > 0 {
		n := b.nodes[id]
		n.Findings = findings
		b.nodes[id] = n
	}
	for _, f := range findings {
		switch f.Code {
		case mesh.CodeNotIsolated, mesh.CodeTooBroad, mesh.CodeNotJudged, mesh.CodePolicyVoid, mesh.CodeZtunnel, mesh.CodeCiliumSetting:
			b.exposed[ref] = true
		}
	}
	return id
}

func (b *builder) ingress(g mesh.Ingress) {
	from := b.node(Gateway, mesh.Name{Namespace: g.Namespace, Name: g.Gateway})
	to := b.companion(g.AppRef, policy.Ingress(b.view, b.set, g))
	b.edges = append(b.edges, Edge{From: from, To: to, Label: strconv.Itoa(int(mesh.PortHTTP)), State: b.state(
		policy.Endpoint{Entity: policy.EntityIngress}, g.AppRef, mesh.PortHTTP)})
}

func (b *builder) app(a mesh.App) {
	from := b.companion(a.AppRef, policy.App(b.view, b.set, a))
	to := b.node(App, mesh.Name{Namespace: a.Namespace, Name: a.Service})
	b.edges = append(b.edges, Edge{From: from, To: to, Label: strconv.Itoa(int(a.Port)), State: Plain})
}

// call is a way from one companion to another.
func (b *builder) call(caller, app mesh.AppRef, label string) {
	if _, ok := b.view.App(app); !ok {
		return
	}
	from, to := b.companion(caller, nil), b.companion(app, nil)
	b.edges = append(b.edges, Edge{From: from, To: to, Label: label, State: b.state(b.endpoint(caller), app, mesh.PortInternal)})
}

func (b *builder) split(s Split) {
	app, ok := b.view.AppOfService(s.Service)
	if !ok || s.Service == s.Backend {
		return
	}
	from := b.node(App, mesh.Name{Namespace: app.Namespace, Name: app.Service})
	b.edges = append(b.edges, Edge{From: from, To: b.node(Backend, s.Backend), Label: fmt.Sprintf("weight %d", s.Weight), State: Plain})
}

// state judges the way to a companion.
func (b *builder) state(from policy.Endpoint, to mesh.AppRef, port int32) State {
	verdict := b.set.Verdict(policy.Flow{From: from, To: b.endpoint(to), Port: port, Protocol: policy.TCP})
	switch {
	case !verdict.Allowed():
		return Blocked
	case b.exposed[to]:
		return Exposed
	default:
		return Covered
	}
}

// endpoint is the pods of a companion.
func (b *builder) endpoint(ref mesh.AppRef) policy.Endpoint {
	component := mesh.ComponentApp
	if _, ok := b.view.Ingress(ref); ok {
		component = mesh.ComponentIngress
	}
	return policy.Endpoint{
		Namespace: ref.Namespace, Labels: mesh.PodLabels(ref.ID, component), NamespaceLabels: b.view.Namespaces[ref.Namespace],
		ServiceAccount: mesh.CompanionName(ref.ID),
	}
}
