// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Code is the stable number of a rule, "DPR101". Codes are never reused.
type Code string

// Severity says what a finding does at admission.
type Severity string

// Severities. Audit is only used inside admission, by namespaces in mode audit.
const (
	Deny  Severity = "deny"
	Warn  Severity = "warn"
	Audit Severity = "audit"
)

// Witness is one flow that shows what a finding says.
type Witness struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
}

// String is "pod default/app=other to companion whoami.default on 50002/TCP".
func (w Witness) String() string {
	return fmt.Sprintf("%s to %s on %d/%s", w.From, w.To, w.Port, w.Protocol)
}

// Finding is one thing a rule has to say about an object: the five parts of a refusal.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Object is what the finding is about.
	Object Object `json:"object"`
	// Field is the path inside Object, "metadata.annotations[daprise.dev/replicas]", or empty.
	Field string `json:"field,omitempty"`
	// Message says what is wrong with the values, without the object and without the code, no full stop at the end.
	Message string   `json:"message"`
	Witness *Witness `json:"witness,omitempty"`
	// Fix says what to do: one or more sentences with their full stops.
	Fix string `json:"fix"`
	// Manifest is YAML that belongs to Fix ("the policy below"), or empty.
	Manifest string `json:"manifest,omitempty"`
	// Invalid marks malformed input: HTTP 422 with a field path, where others are a refused act, HTTP 403.
	Invalid bool `json:"-"`
	// Namespaces are those whose coverage mode decides the severity; empty for rules without a mode.
	Namespaces []string `json:"-"`
}

// Text is the whole finding as a person reads it in a refusal. verb is "refused" for denials and "admitted" for warnings:
//
//	HTTPRoute default/whoami-route refused: <message>. <fix> [DPR101]
//
// followed by the manifest, if any, on lines of its own.
func (f Finding) Text() string {
	verb := "refused"
	if f.Severity != Deny {
		verb = "admitted with a warning"
	}
	field := ""
	if f.Field != "" {
		field = f.Field + ": "
	}
	s := fmt.Sprintf("%s %s: %s%s. %s [%s]", f.Object, verb, field, f.Message, f.Fix, f.Code)
	if f.Manifest != "" {
		s += "\n" + strings.TrimRight(f.Manifest, "\n") + "\n"
	}
	return s
}

// MaxWarning is the length, in bytes, to which admission warnings are kept: the API server cuts long ones
// (k8s.io/apiserver pkg/endpoints/filters/warning.go).
const MaxWarning = 200

// Warning is the short form for an admission warning: witness, code and the command that prints the mend, at most MaxWarning bytes.
// A message that names both ends of the witness is the witness already.
func (f Finding) Warning() string {
	tail := fmt.Sprintf(" [%s] (daprise explain %s)", f.Code, f.Code)
	head := f.Message
	if w := f.Witness; w != nil && (!strings.Contains(head, w.From) || !strings.Contains(head, w.To)) {
		head = w.String() + ": " + head
	}
	if limit := MaxWarning - len(tail); len(head) > limit {
		head = strings.ToValidUTF8(head[:limit-3], "") + "..."
	}
	return head + tail
}

// SortFindings sorts in place by severity (deny first), code, object, field and message, so that equal input gives equal bytes.
func SortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity.rank(), b.Severity.rank()),
			cmp.Compare(a.Code, b.Code),
			compareObjects(a.Object, b.Object),
			cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Message, b.Message),
		)
	})
}

// compareObjects compares them as they are written. Many findings are about one object.
func compareObjects(a, b Object) int {
	if a == b {
		return 0
	}
	return cmp.Compare(a.String(), b.String())
}

func (s Severity) rank() int {
	switch s {
	case Deny:
		return 0
	case Warn:
		return 1
	default:
		return 2
	}
}

// Denied says whether any of the findings denies.
func Denied(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Deny })
}
