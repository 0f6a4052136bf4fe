// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"strings"

	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
)

// Sources of labels (cilium pkg/labels): a selector's "any" matches a label of whatever source.
const (
	sourceAny       = "any"
	sourceK8s       = "k8s"
	sourceReserved  = "reserved"
	sourceNode      = "node"
	sourceCIDR      = "cidr"
	sourceCIDRGroup = "cidrgroup"
	sourceFQDN      = "fqdn"
)

// Keys of the labels that Cilium adds to the identity of a pod (cilium pkg/k8s/apis/cilium.io).
const (
	keyNamespace       = "io.kubernetes.pod.namespace"
	keyNamespaceLabels = "io.cilium.k8s.namespace.labels"
	keyCluster         = "io.cilium.k8s.policy.cluster"
	keyServiceAccount  = "io.cilium.k8s.policy.serviceaccount"
)

// localCluster stands for this cluster's name, which is not known when a policy is compiled. No cluster can have this name.
const localCluster = "\x00local"

// DefaultCluster is Cilium's name of a cluster that was given none (cilium-config: cluster-name).
const DefaultCluster = "default"

type operator uint8

const (
	in operator = iota
	notIn
	exists
	doesNotExist
)

// requirement is one condition of a selector on one label.
type requirement struct {
	source string
	key    string
	values []string
	op     operator
	// implied says that no policy wrote it: the cluster that a selector is of by default.
	implied bool
}

// selector is a conjunction of requirements. The empty selector matches every identity.
type selector []requirement

// label is one label of an identity.
type label struct {
	source, key, value string
}

// identity is the labels by which Cilium knows an endpoint.
type identity []label

// hasKey says whether the identity has a label of that key, of whatever source.
func (id identity) hasKey(key string) bool {
	return slices.ContainsFunc(id, func(l label) bool { return l.key == key })
}

func (s selector) matches(id identity) bool {
	for i := range s {
		if !s[i].matches(id) {
			return false
		}
	}
	return true
}

// matches looks at the first label that has the key, as Cilium does (pkg/labels LabelArray.LookupLabel). An absent label satisfies
// notIn.
func (r *requirement) matches(id identity) bool {
	found, listed := false, false
	for i := range id {
		l := &id[i]
		if l.key != r.key || (r.source != sourceAny && r.source != l.source) {
			continue
		}
		found = true
		listed = listed || slices.Contains(r.values, l.value)
		// A pod of this cluster has two labels for its cluster: its name, and localCluster.
		if r.key != keyCluster {
			break
		}
	}
	return r.op.holds(labelled{found, listed})
}

// labelled is what an identity says of one key: found, if it has it, and listed, if with a value of the requirement.
type labelled struct{ found, listed bool }

// holds decides a requirement.
func (op operator) holds(l labelled) bool {
	switch op {
	case in:
		return l.listed
	case notIn:
		return !l.listed
	case exists:
		return l.found
	default:
		return !l.found
	}
}

// negate is the requirement that holds exactly where r does not.
func (r requirement) negate() requirement {
	switch r.op {
	case in:
		r.op = notIn
	case notIn:
		r.op = in
	case exists:
		r.op = doesNotExist
	default:
		r.op = exists
	}
	return r
}

// selectorOf reads a sanitized selector: its keys carry their source ("k8s:app").
func selectorOf(ls *slim_metav1.LabelSelector) selector {
	if ls == nil {
		return nil
	}
	s := make(selector, 0, len(ls.MatchLabels)+len(ls.MatchExpressions))
	for k, v := range ls.MatchLabels {
		s = append(s, requirementOf(k, in, []string{v}))
	}
	for _, e := range ls.MatchExpressions {
		op, known := operatorOf(e.Operator)
		if known {
			s = append(s, requirementOf(e.Key, op, slices.Clone(e.Values)))
		}
	}
	s.sort()
	return s
}

func operatorOf(op slim_metav1.LabelSelectorOperator) (operator, bool) {
	switch op {
	case slim_metav1.LabelSelectorOpIn:
		return in, true
	case slim_metav1.LabelSelectorOpNotIn:
		return notIn, true
	case slim_metav1.LabelSelectorOpExists:
		return exists, true
	case slim_metav1.LabelSelectorOpDoesNotExist:
		return doesNotExist, true
	default:
		return 0, false
	}
}

func requirementOf(key string, op operator, values []string) requirement {
	source, name, found := strings.Cut(key, ":")
	if !found {
		source, name = sourceAny, key
	}
	return requirement{source: source, key: name, op: op, values: values}
}

func (s selector) sort() {
	slices.SortFunc(s, func(a, b requirement) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.source, b.source), slices.Compare(a.values, b.values))
	})
}

// hasKey says whether the selector names the key with source k8s or any.
func (s selector) hasKey(key string) bool {
	return slices.ContainsFunc(s, func(r requirement) bool {
		return r.key == key && (r.source == sourceK8s || r.source == sourceAny)
	})
}

// with returns the selector and one more requirement; s is not modified.
func (s selector) with(r requirement) selector {
	// Policies are kept: nothing more than is needed.
	return append(append(make(selector, 0, len(s)+1), s...), r)
}

func equals(source, key, value string) requirement {
	return requirement{source: source, key: key, op: in, values: []string{value}}
}

// impliedCluster is what a selector asks for that says nothing of the cluster.
func impliedCluster() requirement {
	r := equals(sourceK8s, keyCluster, localCluster)
	r.implied = true
	return r
}

func present(source, key string) requirement {
	return requirement{source: source, key: key, op: exists}
}

func reserved(name string) selector {
	return selector{equals(sourceReserved, name, "")}
}
