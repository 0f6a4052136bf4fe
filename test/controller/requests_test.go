// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// tally counts a client's requests by method and resource: "GET serviceaccounts", "PATCH services/status".
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func newTally() *tally { return &tally{count: map[string]int{}} }

// on has the requests of a client counted that is made from the config.
func (t *tally) on(api *rest.Config) *rest.Config {
	api.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{t, next} })
	return api
}

// now is what was counted so far.
func (t *tally) now() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.count)
}

type counting struct {
	tally *tally
	next  http.RoundTripper
}

func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if resource := resourceOf(request.URL.Path); resource != "" {
		c.tally.mu.Lock()
		c.tally.count[request.Method+" "+resource]++
		c.tally.mu.Unlock()
	}
	return c.next.RoundTrip(request)
}

// resourceOf is the resource, and subresource, of a request in a namespace, or empty: what is asked of the whole cluster has nothing to do with how
// many companions there are.
func resourceOf(path string) string {
	_, after, found := strings.Cut(path, "/namespaces/")
	parts := strings.Split(after, "/")
	if !found || len(parts) < 2 {
		return ""
	}
	if len(parts) > 3 {
		return parts[1] + "/" + parts[3]
	}
	return parts[1]
}

// total is how many requests there were since a count.
func total(before, after map[string]int) int {
	n := 0
	for key, of := range after {
		n += of - before[key]
	}
	return n
}

// perCompanion are the requests since a count, for each of n companions, a line for each method and resource.
func perCompanion(n int, before, after map[string]int) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if of := after[key] - before[key]; of > 0 {
			lines = append(lines, fmt.Sprintf("%8.2f %s", float64(of)/float64(n), key))
		}
	}
	return strings.Join(lines, "\n")
}
