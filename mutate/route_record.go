// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/daprise/daprise/mesh"
)

// recordVersion is the version of the record that this code reads and writes. A record of another version is not trusted.
const recordVersion = 1

// maxRecord is the largest record, in bytes: all annotations of an object share 256 KiB.
const maxRecord = 128 << 10

// record is the value of the annotation daprise.dev/original: the user's rules from which rewritten rules were made. Whoever may
// write the route may write the record, so it is verified before it is used: see verify.
type record struct {
	Version int     `json:"version"`
	Rules   []entry `json:"rules"`
}

// entry is one of the user's rules and the hashes of what it was rewritten to: one rule, or one for each of its matches.
type entry struct {
	Original  json.RawMessage `json:"original"`
	Rewritten []string        `json:"rewritten"`
}

// encode is the record as it is stored. Originals are canonical JSON already, hashes need no escaping.
func (r *record) encode() string {
	const around = 64 // a number, keys and brackets, of an entry or of the record
	size := around
	for i := range r.Rules {
		size += around + len(r.Rules[i].Original) + len(r.Rules[i].Rewritten)*(2*hashBytes+len(`"",`))
	}
	data := fmt.Appendf(make([]byte, 0, size), `{"version":%d,"rules":[`, r.Version)
	for i, e := range r.Rules {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(append(data, `{"original":`...), e.Original...)
		data = append(data, `,"rewritten":["`...)
		data = append(append(data, strings.Join(e.Rewritten, `","`)...), `"]}`...)
	}
	return string(append(data, "]}"...))
}

// proof is an entry that was verified: its original, rewritten for target, gives exactly the rules that it is keyed by.
type proof struct {
	original *rule
	target   target
	hashes   []string
	parts    []json.RawMessage
}

// archive finds proofs by the hashes of rewritten rules.
type archive struct {
	kind      string
	namespace string
	view      *mesh.View
	entries   []entry
	// proofs holds nil for an entry that failed.
	proofs map[int]*proof
}

// openArchive reads a record. A record that cannot be read, or of another version, is an empty one: the rules are then read for
// what they are.
func (m *mutation) openArchive() *archive {
	a := &archive{kind: m.kind, namespace: m.namespace, view: m.view}
	annotation := m.route.Metadata.Annotations[mesh.AnnotationOriginal]
	if annotation == "" {
		return a
	}
	var r record
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(annotation), &r); err != nil || r.Version != recordVersion {
		return a
	}
	a.entries = r.Rules
	a.proofs = make(map[int]*proof, len(r.Rules))
	return a
}

// find is the proof that a rule is what daprise made of one of the user's, and which part of it, or nil.
func (a *archive) find(r *rule) (p *proof, part int, err error) {
	if len(a.entries) == 0 {
		return nil, 0, nil
	}
	canonical, err := r.canonicalJSON()
	if err != nil {
		return nil, 0, err
	}
	key := hash(canonical)
	for i := range a.entries {
		part := slices.Index(a.entries[i].Rewritten, key)
		if part < 0 {
			continue
		}
		p, tried := a.proofs[i]
		if !tried {
			p = a.verify(&a.entries[i], r)
			a.proofs[i] = p
		}
		if p != nil {
			return p, part, nil
		}
	}
	return nil, 0, nil
}

// verify rewrites an entry's original under the form, the app and the companion that the rewritten rule names, and compares. The
// original must be a direct rule to the Service of that app; where the app is enrolled no more, to a Service of its namespace. What an
// entry can do is then no more than what its writer could have done by writing the original as a rule, which is judged like any other.
func (a *archive) verify(e *entry, rewritten *rule) *proof {
	t, ok := namedTarget(a.namespace, rewritten)
	if !ok {
		return nil
	}
	original, err := decodeRule(a.kind, e.Original)
	if err != nil || original.decodeTree() != nil {
		return nil
	}
	for i := range original.BackendRefs {
		service, ok := mesh.BackendService(a.namespace, original.BackendRefs[i].BackendObjectReference)
		if !ok || !a.isServiceOf(t, i, service) {
			return nil
		}
	}
	trees, reason := through(a.kind, a.namespace, original, t)
	if reason != "" {
		return nil
	}
	p := &proof{original: original, target: t}
	for _, tree := range trees {
		canonical, err := encode(tree)
		if err != nil {
			return nil
		}
		p.parts = append(p.parts, canonical)
		p.hashes = append(p.hashes, hash(canonical))
	}
	if !slices.Equal(p.hashes, e.Rewritten) {
		return nil
	}
	return p
}

// isServiceOf says whether a Service may be what a backendRef of a target named originally.
func (a *archive) isServiceOf(t target, backend int, service mesh.Name) bool {
	ref, to := t.app, t.share(backend)
	if to.app != "" {
		id, namespace, _ := strings.Cut(to.app, ".")
		ref = mesh.AppRef{Namespace: namespace, ID: id}
	}
	app, enrolled := a.view.App(ref)
	if enrolled && service.Name != app.Service {
		return false
	}
	return service.Namespace == ref.Namespace && service != mesh.Name{Namespace: t.companion.Namespace, Name: to.service}
}

// namedTarget reads where a rewritten rule goes: all its backendRefs name one port of one Service, and its filters one app; or the
// backendRefs of a divided rule name each a Service and an app.
func namedTarget(namespace string, r *rule) (target, bool) {
	t, shares := target{}, make([]share, 0, len(r.BackendRefs))
	divided := false
	for i := range r.BackendRefs {
		ref := &r.BackendRefs[i]
		service, ok := mesh.BackendService(namespace, ref.BackendObjectReference)
		invocation, invokes := mesh.BackendInvocation(r.Filters, ref.Filters)
		if !ok || !invokes || ref.Port == nil {
			return target{}, false
		}
		_, own := mesh.RuleInvocation(ref.Filters)
		if i == 0 {
			t = target{companion: service, port: *ref.Port, app: invocation.App, form: invocation.Form}
			divided = own
		}
		if service.Namespace != t.companion.Namespace || *ref.Port != t.port || divided != own || !divided && service != t.companion {
			return target{}, false
		}
		shares = append(shares, share{service: service.Name, app: invocation.App.String()})
	}
	if divided {
		t = t.withShares(shares)
	}
	return t, len(shares) > 0
}

// restricted is the original with one of its matches: the user's rule for one part of a split rule.
func (p *proof) restricted(kind string, part int) (*rule, error) {
	tree := withKey(p.original.tree, "matches", []any{list(p.original.tree["matches"])[part]})
	if part > 0 {
		delete(tree, "name")
	}
	raw, err := encode(tree)
	if err != nil {
		return nil, err
	}
	r, err := decodeRule(kind, raw)
	if err != nil {
		return nil, err
	}
	r.tree = tree
	return r, nil
}
