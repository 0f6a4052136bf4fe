// SPDX-License-Identifier: Apache-2.0

package graph

import (
	_ "embed" // the page
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

//go:embed page.tmpl
var page string

// HTML is the graph as one page that needs no network: with a search, and with what is found about each box.
func (g Graph) HTML() (string, error) {
	// encoding/json escapes <, > and &, so that no name can end the script.
	data, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("encode the graph: %w", err)
	}
	type key struct {
		State        State
		Colour, Dash string
		Count        int
	}
	counts := g.counts()
	var legend []key
	for _, s := range []State{Covered, Exposed, Blocked} {
		legend = append(legend, key{State: s, Colour: colour(s), Dash: dash(s), Count: counts[s]})
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return "", fmt.Errorf("parse the page: %w", err)
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"SVG": g.SVG(), "Data": string(data), "Legend": legend,
		"Box": map[string]int{"Width": boxWidth, "Height": boxHeight, "Row": rowHeight, "Top": margin + headHeight},
	})
	return b.String(), err
}
