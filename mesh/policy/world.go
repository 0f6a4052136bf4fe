// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/daprise/daprise/mesh"
)

// World is everything a decision reads: the View and, beside it, the policies of the same moment, compiled.
type World struct {
	View *mesh.View
	Set  *Set
	// Answers are what decisions found in this World, for those that ask the same, or nil where none is to be remembered.
	Answers *Answers
}

// Answers remembers what was found of companions in one World whose View and policies are not modified. It may be used by several at a time;
// a nil one remembers nothing.
type Answers struct {
	mu sync.Mutex
	of map[flowQuestion][]mesh.Finding
}

// flowQuestion is a companion and the flows that a View's routes make, which are all that coverage reads of them: routes of other names with the
// same ends ask the same.
type flowQuestion struct {
	ref   mesh.AppRef
	flows string
}

// Limits of what is remembered of one World, and of the routes that are worth comparing.
const (
	maxAnswers = 64
	maxFlows   = 32
)

// NewAnswers remember nothing yet.
func NewAnswers() *Answers { return &Answers{of: map[flowQuestion][]mesh.Finding{}} }

// Coverage is what judge finds of a companion in the World with these routes, or what it found before. The findings are shared and must not be
// modified.
func (a *Answers) Coverage(ref mesh.AppRef, routes []mesh.RouteTarget, judge func() []mesh.Finding) []mesh.Finding {
	if a == nil || len(routes) > maxFlows {
		return judge()
	}
	q := flowQuestion{ref, flowsOf(routes)}
	a.mu.Lock()
	found, ok := a.of[q]
	a.mu.Unlock()
	if ok {
		return found
	}
	found = judge()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.of) < maxAnswers {
		a.of[q] = found
	}
	return found
}

// flowsOf are the ends of the routes, each once. No name of Kubernetes has a blank or a line feed.
func flowsOf(routes []mesh.RouteTarget) string {
	ends := make([]mesh.RouteTarget, 0, len(routes))
	for i := range routes {
		ends = append(ends, mesh.RouteTarget{Ingress: routes[i].Ingress, App: routes[i].App})
	}
	slices.SortFunc(ends, func(a, b mesh.RouteTarget) int {
		return cmp.Or(compareAppRefs(a.Ingress, b.Ingress), compareAppRefs(a.App, b.App))
	})
	var flows strings.Builder
	for i, e := range ends {
		if i > 0 && e == ends[i-1] {
			continue
		}
		for _, word := range []string{e.Ingress.Namespace, e.Ingress.ID, e.App.Namespace, e.App.ID} {
			flows.WriteString(word)
			flows.WriteByte(' ')
		}
		flows.WriteByte('\n')
	}
	return flows.String()
}
