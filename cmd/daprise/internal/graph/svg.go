// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Layout, in pixels: a column for each kind, a row for each companion.
const (
	boxWidth    = 190
	boxHeight   = 34
	columnWidth = 250
	rowHeight   = 46
	margin      = 24
	headHeight  = 34
)

// point is the upper left corner of a box.
type point struct{ x, y int }

// layout places nodes in columns. Apps stand beside their companions; a node without a row of its own stands at the first of those that
// it leads to.
func (g Graph) layout() (places map[string]point, height int) {
	places = map[string]point{}
	rows := map[string]int{}
	next := 0
	for _, n := range g.Nodes {
		if n.Kind == Companion {
			rows[n.ID] = next
			next += max(1, g.backends(n.ID))
		}
	}
	g.follow(rows)
	used := map[Kind]map[int]bool{}
	for _, n := range g.Nodes {
		row, ok := rows[n.ID]
		if !ok {
			row = g.first(n.ID, rows)
		}
		if used[n.Kind] == nil {
			used[n.Kind] = map[int]bool{}
		}
		for used[n.Kind][row] {
			row++
		}
		used[n.Kind][row] = true
		rows[n.ID] = row
		next = max(next, row+1)
		places[n.ID] = point{margin + int(n.Kind)*columnWidth, margin + headHeight + row*rowHeight}
	}
	return places, 2*margin + headHeight + next*rowHeight
}

// backends counts the split parts behind a companion's app.
func (g Graph) backends(companion string) int {
	count := 0
	for _, e := range g.Edges {
		if e.From == companion && e.State == Plain {
			for _, f := range g.Edges {
				if f.From == e.To {
					count++
				}
			}
		}
	}
	return count
}

// follow gives apps the rows of their companions, and backends those after.
func (g Graph) follow(rows map[string]int) {
	for range 2 {
		behind := map[string]int{}
		for _, e := range g.Edges {
			row, ok := rows[e.From]
			if _, placed := rows[e.To]; ok && !placed && e.State == Plain {
				rows[e.To] = row + behind[e.From]
				behind[e.From]++
			}
		}
	}
}

// first is the first row that a node leads to, at most through one other: a way in stands at the top of what is behind it.
func (g Graph) first(id string, rows map[string]int) int {
	var reached []int
	for _, e := range g.Edges {
		if e.From != id {
			continue
		}
		if row, ok := rows[e.To]; ok {
			reached = append(reached, row)
			continue
		}
		for _, f := range g.Edges {
			if row, ok := rows[f.To]; ok && f.From == e.To {
				reached = append(reached, row)
			}
		}
	}
	if len(reached) == 0 {
		return 0
	}
	return slices.Min(reached)
}

// SVG is the graph as a picture of its own.
func (g Graph) SVG() string {
	places, height := g.layout()
	last := App
	if slices.ContainsFunc(g.Nodes, func(n Node) bool { return n.Kind == Backend }) {
		last = Backend
	}
	width := 2*margin + int(last)*columnWidth + boxWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">`+"\n", width, height, width, height)
	b.WriteString("<defs>\n")
	for _, s := range []State{Covered, Blocked, Exposed, Plain} {
		fmt.Fprintf(&b, `<marker id="end-%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker>`+"\n", s, colour(s))
	}
	b.WriteString("</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	for k := Gateway; k <= last; k++ {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="600" fill="#3b4450">%s</text>`+"\n", margin+int(k)*columnWidth, margin+12, title(k))
	}
	for _, e := range g.drawn() {
		b.WriteString(e.svg(places))
	}
	for _, n := range g.Nodes {
		b.WriteString(nodeSVG(n, places[n.ID]))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func title(k Kind) string {
	return map[Kind]string{Gateway: "Gateways", IngressCompanion: "Ingress companions", Companion: "Companions", App: "Apps", Backend: "Split to"}[k]
}

// lanes is how many trunks fit between two columns.
const lanes = 6

// drawnEdge is an edge and the lane of its trunk.
type drawnEdge struct {
	Edge
	lane int
}

// drawn are the edges in the order of drawing: what is not covered lies on top. Those from one node share a trunk, so that five hundred are
// no more than a line.
func (g Graph) drawn() []drawnEdge {
	lane := map[string]int{}
	edges := make([]drawnEdge, 0, len(g.Edges))
	for _, e := range g.Edges {
		if _, ok := lane[e.From]; !ok {
			lane[e.From] = len(lane) % lanes
		}
		edges = append(edges, drawnEdge{e, lane[e.From]})
	}
	rank := map[State]int{Plain: 0, Covered: 1, Exposed: 2, Blocked: 3}
	slices.SortStableFunc(edges, func(a, b drawnEdge) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	return edges
}

func (e drawnEdge) svg(places map[string]point) string {
	return fmt.Sprintf(`<path class="edge" data-from="%s" data-to="%s" data-lane="%d" d="%s" fill="none" stroke="%s" stroke-width="1.6"%s marker-end="url(#end-%s)"><title>%s</title></path>`+"\n",
		html.EscapeString(e.From), html.EscapeString(e.To), e.lane, e.way(places[e.From], places[e.To]), colour(e.State), dash(e.State), e.State, edgeTitle(e.Edge))
}

// way is the path from one box to another: out to the trunk, along it, and in. The page's script draws the same.
func (e drawnEdge) way(from, to point) string {
	x1, y1, x2, y2 := from.x+boxWidth, from.y+boxHeight/2, to.x-2, to.y+boxHeight/2
	if to.x <= from.x { // a caller in the same column
		x2 = to.x + boxWidth + 2
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+40, y1, x2+60, y2, x2, y2)
	}
	if y1 == y2 {
		return fmt.Sprintf("M%d %dH%d", x1, y1, x2)
	}
	trunk, bend := x1+16+5*e.lane, 6
	if y2 < y1 {
		bend = -bend
	}
	return fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d", x1, y1, trunk-6, trunk, y1, trunk, y1+bend, y2-bend, trunk, y2, trunk+6, y2, x2)
}

// dash tells states apart without colour.
func dash(s State) string {
	switch s {
	case Blocked:
		return ` stroke-dasharray="2 4"`
	case Exposed:
		return ` stroke-dasharray="8 4"`
	default:
		return ""
	}
}

func edgeTitle(e Edge) string {
	text := e.Label
	if e.State != Plain {
		text += ": " + string(e.State)
	}
	return html.EscapeString(text)
}

func nodeSVG(n Node, at point) string {
	stroke, fill := "#8a94a3", "#f5f7fa"
	if len(n.Findings) > 0 {
		stroke, fill = colour(Exposed), "#fff4e8"
	}
	name := short(n.Name)
	return fmt.Sprintf(`<g class="node" id="%s" data-kind="%d" transform="translate(%d %d)"><title>%s %s/%s</title><rect width="%d" height="%d" rx="5" fill="%s" stroke="%s"/>`+
		`<text x="10" y="15" font-weight="600" fill="#1d232b">%s</text><text x="10" y="28" font-size="10" fill="#5f6b7a">%s</text></g>`+"\n",
		html.EscapeString(n.ID), n.Kind, at.x, at.y, n.Kind, html.EscapeString(n.Namespace), html.EscapeString(n.Name), boxWidth, boxHeight, fill, stroke,
		html.EscapeString(name), html.EscapeString(short(n.Namespace)))
}

// short cuts a name so that it fits its box.
func short(name string) string {
	const most = 30
	if len(name) <= most {
		return name
	}
	return name[:most-1] + "…"
}

// counts are the numbers of edges by state, for a legend.
func (g Graph) counts() map[State]int {
	counts := map[State]int{}
	for _, e := range g.Edges {
		counts[e.State]++
	}
	return counts
}
