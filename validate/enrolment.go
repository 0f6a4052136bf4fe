// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// EnrolmentWrite is one write of a Service, Deployment or Gateway, as mutated.
type EnrolmentWrite struct {
	// Kind is Service, Deployment or Gateway.
	Kind string
	// Object is the new object's JSON; OldObject is empty for CREATE.
	Object    []byte
	OldObject []byte
}

// Enrolment decides whether what an object says about its enrolment is admitted. What is malformed (HTTP 422) is said before what is
// well-formed and refused (HTTP 403): its keys and values (DPR301, DPR302, DPR307), what it resolves to among the other objects
// (DPR303, DPR304, DPR306, DPR308, DPR309), the names of its companion (DPR305), leaving a strict namespace with traffic (DPR310), and
// in strict namespaces the coverage of its companion. Of what it will not get as asked for, it is warned (DPR312, DPR313, DPR403). In the other modes what is not covered warns: the companion is held, and the
// routes are refused. The findings have their severity before modes (ApplyModes).
//
// An update is refused only for what it makes wrong: findings that the old object had already are warnings, and coverage is judged only
// where something changes on which it depends. An object that is being deleted has no findings.
//
// An error means that the request could not be decoded; it is never a refusal. Enrolment does not modify its arguments.
func Enrolment(w policy.World, e EnrolmentWrite) ([]mesh.Finding, error) {
	after, err := readEnrolment(w.View, e.Kind, e.Object)
	if err != nil || after.meta.GetDeletionTimestamp() != nil {
		return nil, err
	}
	before := &enrolment{}
	if len(e.OldObject) > 0 {
		if before, err = readEnrolment(w.View, e.Kind, e.OldObject); err != nil {
			return nil, err
		}
	}
	findings := mesh.Provoked(before.findings, after.findings)
	if malformed := malformedOf(findings); len(malformed) > 0 {
		return malformed, nil
	}
	for _, rule := range []func(policy.World, *enrolment, *enrolment) []mesh.Finding{companionNames, leaving, enrolmentCoverage, enrolmentCaveats} {
		findings = append(findings, rule(w, before, after)...)
	}
	mesh.SortFindings(findings)
	return findings, nil
}

// enrolment is one version of an object, and what it comes to.
type enrolment struct {
	mesh.Candidate
	meta   metav1.Object
	object mesh.Object
	// findings are those of the candidate and of Dapr's keys.
	findings []mesh.Finding
}

func readEnrolment(view *mesh.View, kind string, data []byte) (*enrolment, error) {
	meta, err := mesh.Decode(kind, data)
	if err != nil {
		return nil, err
	}
	e := &enrolment{Candidate: mesh.Consider(view.Objects, view.Config, meta), meta: meta, object: mesh.ObjectOf(meta)}
	e.findings = append(slices.Clone(e.Findings), daprKeys(view.Config, e)...)
	mesh.SortFindings(e.findings)
	return e, nil
}

// ref is the app or ingress that the object is enrolled as.
func (e *enrolment) ref() (mesh.AppRef, bool) {
	if e.ID() == "" {
		return mesh.AppRef{}, false
	}
	return mesh.AppRef{Namespace: e.object.Namespace, ID: e.ID()}, true
}

// malformedOf are the findings of malformed input, if any of them denies.
func malformedOf(findings []mesh.Finding) []mesh.Finding {
	malformed := slices.DeleteFunc(slices.Clone(findings), func(f mesh.Finding) bool { return !f.Invalid })
	if !mesh.Denied(malformed) {
		return nil
	}
	return malformed
}
