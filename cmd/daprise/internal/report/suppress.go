// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/daprise/daprise/mesh"
)

// CodeSuppression is the code of findings about suppressions themselves.
const CodeSuppression = mesh.CodeSuppression

// Suppressor leaves out warnings that their readers know about. It keeps count, so that what is no longer needed is told.
type Suppressor struct {
	today   time.Time
	entries []*suppression
}

type suppression struct {
	mesh.Suppression
	// object is the one whose findings it is about; the zero Object stands for all.
	object mesh.Object
	// at is the place to say something about the entry, without the rest of a finding.
	at   Finding
	used bool
}

// NewSuppressor takes the suppressions of the command line, each a value as of daprise.dev/suppress, and the day on which they are
// judged.
func NewSuppressor(flags []string, today time.Time) (*Suppressor, error) {
	s := &Suppressor{today: today}
	for _, value := range flags {
		entries, err := mesh.Suppressions(value)
		if err != nil {
			return nil, fmt.Errorf("--suppress: %w", err)
		}
		for _, e := range entries {
			s.entries = append(s.entries, &suppression{Suppression: e, at: Finding{
				Finding: mesh.Finding{Object: mesh.Object{Kind: "Flag", Name: "--suppress"}},
			}})
		}
	}
	return s, nil
}

// Annotation adds the suppressions that an object carries. What is not in their grammar is told here, unless admission says it of the
// object anyway.
func (s *Suppressor) Annotation(value string, at Finding) (Finding, bool) {
	at.Field = "metadata.annotations[" + mesh.AnnotationSuppress + "]"
	entries, err := mesh.Suppressions(value)
	if err != nil {
		return about(at, err.Error(), "Correct it; daprise explain --list prints every code."), true
	}
	for _, e := range entries {
		s.entries = append(s.entries, &suppression{Suppression: e, object: at.Object, at: at})
	}
	return Finding{}, false
}

// Suppresses says whether a finding is left out: never one that denies.
func (s *Suppressor) Suppresses(f Finding) bool {
	suppressed := false
	for _, e := range s.entries {
		if e.Code != f.Code || e.object != (mesh.Object{}) && e.object != f.Object {
			continue
		}
		// One that has expired is used, too: it is not forgotten but late.
		e.used = true
		suppressed = suppressed || f.Severity != mesh.Deny && !s.expired(e)
	}
	return suppressed
}

// expired: the day named is the last on which it holds.
func (s *Suppressor) expired(e *suppression) bool { return !s.today.Before(e.Until.AddDate(0, 0, 1)) }

// Findings are about suppressions that have expired, or that no finding needed.
func (s *Suppressor) Findings() []Finding {
	var findings []Finding
	for _, e := range s.entries {
		switch {
		case s.expired(e):
			findings = append(findings, about(e.at,
				fmt.Sprintf("the suppression of %s (%s) has expired on %s", e.Code, e.Reason, e.Until.Format(time.DateOnly)),
				"Mend what it hides, or give it another day."))
		case !e.used:
			findings = append(findings, about(e.at,
				fmt.Sprintf("the suppression of %s (%s) hides nothing", e.Code, e.Reason), "Take it away."))
		}
	}
	return slices.Clip(findings)
}

func about(at Finding, message, fix string) Finding {
	at.Code, at.Severity, at.Message, at.Fix = CodeSuppression, mesh.Warn, message, fix
	return at
}
