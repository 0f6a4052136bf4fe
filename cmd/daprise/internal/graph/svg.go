// SPDX-License-Identifier: Apache-2.0

package graph

import (
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
	width := 2*margin + int(Backend)*columnWidth + boxWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">`+"\n", width, height, width, height)
	b.WriteString("<defs>\n")
	for _, s := range []State{Covered, Blocked, Exposed, Plain} {
		fmt.Fprintf(&b, `<marker id="end-%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker>`+"\n", s, colour(s))
	}
	b.WriteString("</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	for k := Gateway; k <= Backend; k++ {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="600" fill="#3b4450">%s</text>`+"\n", margin+int(k)*columnWidth, margin+12, title(k))
	}
	for _, e := range g.Edges {
		b.WriteString(edgeSVG(e, places))
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

func edgeSVG(e Edge, places map[string]point) string {
	from, to := places[e.From], places[e.To]
	x1, y1, x2, y2 := from.x+boxWidth, from.y+boxHeight/2, to.x-2, to.y+boxHeight/2
	bend1, bend2 := 40, -40
	if to.x <= from.x { // a caller in the same column
		x2, bend2 = to.x+boxWidth+2, 60
	}
	return fmt.Sprintf(`<path class="edge" data-from="%s" data-to="%s" d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="%s" stroke-width="1.6"%s marker-end="url(#end-%s)"><title>%s</title></path>`+"\n",
		html.EscapeString(e.From), html.EscapeString(e.To), x1, y1, x1+bend1, y1, x2+bend2, y2, x2, y2, colour(e.State), dash(e.State), e.State, edgeTitle(e))
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
