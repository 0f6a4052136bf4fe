// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// solveBudget bounds the search of one witness. A search that runs out counts as "there is one": the question is then answered
// for the worst.
const solveBudget = 20000

// anyNamespace stands in a witness for a namespace of which nothing but its labels matters.
const anyNamespace = "any"

// pods asks for a pod of any labels, in any namespace, of any cluster, that every selector of all matches and no selector of none.
type pods struct {
	all  []selector
	none []selector
	// namespaces holds the labels of the namespaces that are known; others may have any.
	namespaces map[string]map[string]string
	cluster    string
	cilium     release
}

// values is what a label may still be: absent or present, and with which values.
type values struct {
	present, absent bool
	// listed restricts the value where it is not nil; barred excludes.
	listed []string
	barred []string
}

// possible says whether some pod's label still fits.
func (v values) possible() bool {
	if v.present && v.absent {
		return false
	}
	return !v.present || v.listed == nil || slices.ContainsFunc(v.listed, v.fits)
}

func (v values) fits(value string) bool { return !slices.Contains(v.barred, value) }

// admits says whether the label may be what the labels have.
func (v values) admits(labels map[string]string, label string) bool {
	value, present := labels[label]
	if !present {
		return !v.present
	}
	return !v.absent && v.fits(value) && (v.listed == nil || slices.Contains(v.listed, value))
}

func (v values) and(r requirement) values {
	switch r.op {
	case in:
		if v.listed == nil {
			v.listed = r.values
		} else {
			v.listed = slices.DeleteFunc(slices.Clone(v.listed), func(s string) bool { return !slices.Contains(r.values, s) })
		}
		v.present = true
	case notIn:
		v.barred = append(slices.Clone(v.barred), r.values...)
	case exists:
		v.present = true
	default:
		v.absent = true
	}
	return v
}

// solver searches for a pod.
type solver struct {
	question pods
	steps    int
}

// state is the labels decided so far, by key.
type state map[string]values

// find is a pod that fits, or none. unknown says that the search was given up: there may be one.
func (q pods) find() (pod Endpoint, found, unknown bool) {
	s := &solver{question: q}
	start := state{keyNamespace: {present: true}, keyCluster: {present: true}}
	for _, sel := range q.all {
		for _, r := range sel {
			key, v, ok := s.narrowed(start, r)
			if !ok {
				return Endpoint{}, false, false
			}
			if key != "" {
				start[key] = v
			}
		}
	}
	pod, found = s.search(start, q.none)
	return pod, found, !found && s.steps > solveBudget
}

// search makes each remaining selector fail by one of its requirements: first those that leave no choice, then the one that leaves the
// fewest, so that what cannot be solved is mostly seen without trying every combination.
func (s *solver) search(st state, none []selector) (Endpoint, bool) {
	s.steps++
	if s.steps > solveBudget {
		return Endpoint{}, false
	}
	var open []selector
	var fewest []requirement
	at := -1
	for _, sel := range none {
		ways, fails := s.ways(st, sel)
		switch {
		case fails:
			continue
		case len(ways) == 0:
			return Endpoint{}, false
		case at < 0 || len(ways) < len(fewest):
			fewest, at = ways, len(open)
		}
		open = append(open, sel)
	}
	if at < 0 {
		return s.finish(st)
	}
	rest := slices.Delete(open, at, at+1)
	for _, r := range fewest {
		next, _ := s.require(st, r)
		if pod, found := s.search(next, rest); found {
			return pod, true
		}
	}
	return Endpoint{}, false
}

// ways are the opposites of those requirements of a selector that can still fail. fails says that the selector does already, since one
// of them can no longer hold.
func (s *solver) ways(st state, sel selector) (ways []requirement, fails bool) {
	for _, r := range sel {
		if _, _, ok := s.narrowed(st, r); !ok {
			return nil, true
		}
	}
	for _, r := range sel {
		opposite := r.negate()
		if _, _, ok := s.narrowed(st, opposite); ok {
			ways = append(ways, opposite)
		}
	}
	return ways, false
}

// require adds a requirement; ok is false if no pod fits any more.
func (s *solver) require(st state, r requirement) (next state, ok bool) {
	key, v, ok := s.narrowed(st, r)
	if !ok || key == "" {
		return st, ok
	}
	next = maps.Clone(st)
	next[key] = v
	return next, true
}

// narrowed is what a requirement leaves of a label; the key is empty where it says nothing about pods' labels.
func (s *solver) narrowed(st state, r requirement) (key string, v values, ok bool) {
	if r.source != sourceK8s && r.source != sourceAny {
		// A pod's labels all come from Kubernetes.
		return "", v, r.op == notIn || r.op == doesNotExist
	}
	key = variable(r.key)
	if !identityRelevant(key, s.question.cilium) && !strings.HasPrefix(key, keyNamespaceLabels+".") && key != keyNamespace {
		return "", v, r.op == notIn || r.op == doesNotExist
	}
	if key == keyCluster {
		r = s.localized(r)
	}
	v = st[key].and(r)
	return key, v, v.possible()
}

// variable folds the label that names a pod's namespace a second time into the first.
func variable(key string) string {
	if key == keyNamespaceLabels+"."+mesh.LabelNamespaceName {
		return keyNamespace
	}
	return key
}

// localized writes this cluster's name as localCluster.
func (s *solver) localized(r requirement) requirement {
	r.values = slices.Clone(r.values)
	for i, v := range r.values {
		if v == s.question.cluster {
			r.values[i] = localCluster
		}
	}
	return r
}

// finish gives every label that must be there a value.
func (s *solver) finish(st state) (Endpoint, bool) {
	for _, namespace := range s.namespaceCandidates(st[keyNamespace]) {
		labels, known := s.question.namespaces[namespace]
		if known && !namespaceFits(st, labels) {
			continue
		}
		e := Endpoint{Namespace: namespace, Labels: map[string]string{}, NamespaceLabels: map[string]string{}}
		maps.Copy(e.NamespaceLabels, labels)
		for key, v := range st {
			if v.absent || !v.present {
				continue
			}
			s.assign(&e, key, v)
		}
		return e, true
	}
	return Endpoint{}, false
}

func (s *solver) assign(e *Endpoint, key string, v values) {
	switch label, isNamespaces := strings.CutPrefix(key, keyNamespaceLabels+"."); {
	case key == keyNamespace:
	case key == keyCluster:
		if c := choose(v, localCluster); c != localCluster {
			e.Cluster = choose(v, "other")
		}
	case key == keyServiceAccount:
		e.ServiceAccount = choose(v, "any")
	case isNamespaces:
		if _, known := e.NamespaceLabels[label]; !known {
			e.NamespaceLabels[label] = choose(v, "any")
		}
	default:
		e.Labels[key] = choose(v, "any")
	}
}

// choose picks a value that fits, by preference the one given.
func choose(v values, preferred string) string {
	if v.listed != nil {
		if slices.Contains(v.listed, preferred) && v.fits(preferred) {
			return preferred
		}
		return v.listed[max(0, slices.IndexFunc(v.listed, v.fits))]
	}
	for !v.fits(preferred) {
		preferred += "x"
	}
	return preferred
}

// namespaceCandidates are the namespaces a pod may be in: those listed, else a name that nobody uses, else a known one.
func (s *solver) namespaceCandidates(v values) []string {
	if v.listed != nil {
		return slices.DeleteFunc(slices.Clone(v.listed), func(n string) bool { return !v.fits(n) })
	}
	fresh := anyNamespace
	for {
		if _, known := s.question.namespaces[fresh]; !known && v.fits(fresh) {
			return []string{fresh}
		}
		fresh += "x"
	}
}

// namespaceFits says whether the labels that a known namespace has are those asked for.
func namespaceFits(st state, labels map[string]string) bool {
	for key, v := range st {
		if label, ok := strings.CutPrefix(key, keyNamespaceLabels+"."); ok {
			if !v.admits(labels, label) {
				return false
			}
		}
	}
	return true
}
