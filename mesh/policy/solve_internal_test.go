// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"testing"
)

// TestManyAlternatives: the search of a pod ends with an answer however many selectors it has to stay out of.
func TestManyAlternatives(t *testing.T) {
	label := func(key string, values ...string) requirement {
		return requirement{source: sourceK8s, key: key, op: in, values: values}
	}
	var others []selector
	for i := range 200 {
		namespace := fmt.Sprintf("team-%d", i)
		others = append(others, selector{label(keyNamespace, namespace), label("app", namespace), label("tier", "front")})
	}
	inWrites := selector{label(keyNamespace, "writes")}
	for _, c := range []struct {
		name  string
		ask   pods
		found bool
	}{
		{"the last one takes what is asked for", pods{all: []selector{inWrites}, none: slices.Concat(others, []selector{inWrites})}, false},
		{"none of them does", pods{all: []selector{inWrites}, none: others}, true},
		{"any pod, and the last one is every pod", pods{none: slices.Concat(others, []selector{{}})}, false},
		{"any pod", pods{none: others}, true},
		{"a pod of one of them, but for one label", pods{all: []selector{{label(keyNamespace, "team-7"), label("app", "team-7")}}, none: others}, true},
		{"a pod of one of them, but for no label", pods{all: []selector{others[7]}, none: others}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod, found, unknown := c.ask.find()
			if unknown || found != c.found {
				t.Errorf("found %v (%+v), given up %v; want found %v", found, pod, unknown, c.found)
			}
		})
	}
}

// TestGivenUp: a search that takes too long says so. Ten pigeons in nine holes are a hard case for it.
func TestGivenUp(t *testing.T) {
	const pigeons = 10
	holes := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	sits := func(pigeon int, values ...string) requirement {
		return requirement{source: sourceK8s, key: fmt.Sprintf("pigeon-%d", pigeon), op: in, values: values}
	}
	var ask pods
	for i := range pigeons {
		ask.all = append(ask.all, selector{sits(i, holes...)})
		for j := range i {
			for _, hole := range holes {
				ask.none = append(ask.none, selector{sits(i, hole), sits(j, hole)})
			}
		}
	}
	if _, found, unknown := ask.find(); found || !unknown {
		t.Errorf("found %v, given up %v", found, unknown)
	}
}
