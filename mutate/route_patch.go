// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/daprise/daprise/mesh"
)

// outcome is the route after a mutation.
type outcome struct {
	rules []json.RawMessage
	// same says of each rule, in place, that it is the rule as received; only meaningful while their number is the same.
	same     []bool
	original string
	revision string
	findings []mesh.Finding
}

// assemble puts the rules, the record and the revision together.
func (m *mutation) assemble(plans []plan) (outcome, error) {
	var o outcome
	rec := record{Version: recordVersion}
	var meanings []string
	kept := false
	for i := range plans {
		p := &plans[i]
		e, err := p.entry()
		if err != nil {
			return o, err
		}
		if err := m.assembleRule(&o, p); err != nil {
			return o, err
		}
		kept = kept || p.keep
		if p.parts != nil && !p.keep {
			meanings = append(meanings, p.meaning())
		}
		if e != nil && !slices.ContainsFunc(rec.Rules, func(other entry) bool { return slices.Equal(other.Rewritten, e.Rewritten) }) {
			rec.Rules = append(rec.Rules, *e)
		}
	}
	if len(rec.Rules) == 0 {
		return o, nil
	}
	o.original = rec.encode()
	if o.revision = m.revision(meanings); kept {
		o.revision = m.route.Metadata.Annotations[mesh.AnnotationRevision]
	}
	if len(o.original) > maxRecord {
		o.findings = append(o.findings, *m.finding(mesh.CodeTooLarge, "metadata.annotations["+mesh.AnnotationOriginal+"]",
			fmt.Sprintf("the record of the original rules would have %d bytes, over %d", len(o.original), maxRecord),
			"Divide the rules between two routes."))
	}
	return o, nil
}

// assembleRule appends what a plan stores.
func (m *mutation) assembleRule(o *outcome, p *plan) error {
	received := m.route.Spec.Rules[p.from:p.to]
	stored, same := p.parts, false
	switch {
	case p.keep:
		stored, same = received, true
	case p.parts != nil && p.proof != nil:
		same = true // the proof is that the parts are what was received
	case p.parts != nil:
		if p.undone && len(p.parts) == 1 && len(received) == 1 {
			var err error
			if same, err = equalJSON(p.parts[0], received[0]); err != nil {
				return err
			}
		}
	default:
		stored, same = []json.RawMessage{p.raw}, !p.undone
	}
	same = same && len(o.rules) == p.from
	o.rules = append(o.rules, stored...)
	for range stored {
		o.same = append(o.same, same)
	}
	return nil
}

// entry is what the record says about a plan, or nil.
func (p *plan) entry() (*entry, error) {
	if p.keep && p.proof == nil || !p.keep && p.parts == nil {
		return nil, nil
	}
	if p.proof != nil {
		original, err := p.proof.original.canonicalJSON()
		return &entry{Original: original, Rewritten: p.proof.hashes}, err
	}
	original, err := p.canonicalJSON()
	e := &entry{Original: original}
	for _, part := range p.parts {
		e.Rewritten = append(e.Rewritten, hash(part))
	}
	return e, err
}

// meaning is what the enrolment means for a rule.
func (p *plan) meaning() string {
	meaning := p.ingress.ID + "." + p.ingress.Namespace + " " + p.ingress.Gateway
	for i := range p.apps {
		app := &p.apps[i]
		meaning += " " + app.ID + "." + app.Namespace + " " + app.Service + ":" + strconv.Itoa(int(app.Port))
	}
	return meaning + " " + string(p.target.form)
}

// revisionBytes is the length of the hash in daprise.dev/revision.
const revisionBytes = 8

// revision is the hash of what the enrolment means for the route: the same whatever the order in which its parts were applied.
func (m *mutation) revision(meanings []string) string {
	slices.Sort(meanings)
	meanings = append(slices.Compact(meanings), m.view.Config.Gateway.Implementation)
	sum := sha256.Sum256([]byte(strings.Join(meanings, "\n")))
	return hex.EncodeToString(sum[:revisionBytes])
}

// patch is the difference between the route as received and its outcome: hand-chosen operations, so that nothing else is touched.
func (m *mutation) patch(o outcome) []jsonpatch.Operation {
	patch := m.patchRules(o)
	annotations := m.route.Metadata.Annotations
	kept := len(annotations)
	var changes []jsonpatch.Operation
	for _, a := range []struct{ key, value string }{
		{mesh.AnnotationOriginal, o.original}, {mesh.AnnotationRevision, o.revision},
	} {
		was, had := annotations[a.key]
		path := "/metadata/annotations/" + strings.ReplaceAll(a.key, "/", "~1")
		switch {
		case a.value == "" && had:
			kept--
			changes = append(changes, jsonpatch.NewOperation("remove", path, nil))
		case a.value != "" && (!had || was != a.value):
			changes = append(changes, jsonpatch.NewOperation("add", path, a.value))
		}
	}
	switch {
	case len(changes) == 0:
		return patch
	case annotations == nil:
		return append(patch, jsonpatch.NewOperation("add", "/metadata/annotations", map[string]any{
			mesh.AnnotationOriginal: o.original, mesh.AnnotationRevision: o.revision,
		}))
	case kept == 0 && o.original == "":
		return append(patch, jsonpatch.NewOperation("remove", "/metadata/annotations", nil))
	}
	return append(patch, changes...)
}

// patchRules replaces the rules that differ, or all of them where their number does.
func (m *mutation) patchRules(o outcome) []jsonpatch.Operation {
	if len(o.rules) != len(m.route.Spec.Rules) {
		return []jsonpatch.Operation{jsonpatch.NewOperation("replace", "/spec/rules", o.rules)}
	}
	var patch []jsonpatch.Operation
	for i := range o.rules {
		if !o.same[i] {
			patch = append(patch, jsonpatch.NewOperation("replace", fmt.Sprintf("/spec/rules/%d", i), o.rules[i]))
		}
	}
	return patch
}

// equalJSON compares two rules, whatever the order of their keys.
func equalJSON(a, b json.RawMessage) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	left, err := canonical(a)
	if err != nil {
		return false, err
	}
	right, err := canonical(b)
	return bytes.Equal(left, right), err
}
