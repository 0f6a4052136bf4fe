// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"strings"
)

// colour of a state: dark enough for text on white, and told apart by people who do not see red and green as others do.
func colour(s State) string {
	switch s {
	case Covered:
		return "#1b7f4d"
	case Blocked:
		return "#b3261e"
	case Exposed:
		return "#c25e00"
	default:
		return "#5f6b7a"
	}
}

// aliases are short names for nodes, by ID.
func (g Graph) aliases() map[string]string {
	names := make(map[string]string, len(g.Nodes))
	for i, n := range g.Nodes {
		names[n.ID] = fmt.Sprintf("n%d", i)
	}
	return names
}

// Mermaid is the graph as a Mermaid flowchart.
func (g Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	names := g.aliases()
	for _, n := range g.Nodes {
		text := strings.ReplaceAll(fmt.Sprintf("%s<br>%s/%s", n.Kind, n.Namespace, n.Name), `"`, "#quot;")
		fmt.Fprintf(&b, "  %s[\"%s\"]\n", names[n.ID], text)
	}
	for i, e := range g.Edges {
		label := e.Label
		if e.State != Plain {
			label += "<br>" + string(e.State)
		}
		fmt.Fprintf(&b, "  %s -->|\"%s\"| %s\n", names[e.From], strings.ReplaceAll(label, `"`, "#quot;"), names[e.To])
		fmt.Fprintf(&b, "  linkStyle %d stroke:%s\n", i, colour(e.State))
	}
	return b.String()
}

// DOT is the graph for Graphviz.
func (g Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph daprise {\n  rankdir=LR;\n  node [shape=box];\n")
	names := g.aliases()
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%q];\n", names[n.ID], fmt.Sprintf("%s\n%s/%s", n.Kind, n.Namespace, n.Name))
	}
	for _, e := range g.Edges {
		label := e.Label
		if e.State != Plain {
			label += "\n" + string(e.State)
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%q, color=%q];\n", names[e.From], names[e.To], label, colour(e.State))
	}
	b.WriteString("}\n")
	return b.String()
}
