// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Suppression is one entry of daprise.dev/suppress: a warning that its reader knows about, until a day.
type Suppression struct {
	Code   Code
	Reason string
	// Until is the last day on which it holds, at midnight UTC. Whether it has passed is for a caller with a clock to say.
	Until time.Time
}

// errSuppression marks a value of daprise.dev/suppress that is not in its grammar.
var errSuppression = errors.New("not in the grammar of daprise.dev/suppress")

// Suppressions reads a value of daprise.dev/suppress: "DPR###=reason until YYYY-MM-DD", separated by ";", each code once, and only
// codes that can warn: a refusal cannot be suppressed. Its error says which entry is wrong and how.
func Suppressions(value string) ([]Suppression, error) {
	var all []Suppression
	for entry := range strings.SplitSeq(value, ";") {
		s, wrong := suppression(strings.TrimSpace(entry))
		if wrong == "" && slices.ContainsFunc(all, func(other Suppression) bool { return other.Code == s.Code }) {
			wrong = "names " + string(s.Code) + " twice"
		}
		if wrong != "" {
			return nil, fmt.Errorf("%w: %s %s", errSuppression, quoted(strings.TrimSpace(entry)), wrong)
		}
		all = append(all, s)
	}
	return all, nil
}

func suppression(entry string) (s Suppression, wrong string) {
	code, rest, found := strings.Cut(entry, "=")
	at := strings.LastIndex(rest, " until ")
	if !found || at < 0 {
		return Suppression{}, "is not DPR###=reason until YYYY-MM-DD"
	}
	s = Suppression{Code: Code(code), Reason: strings.TrimSpace(rest[:at])}
	day := strings.TrimSpace(rest[at+len(" until "):])
	until, err := time.Parse(time.DateOnly, day)
	switch {
	case !slices.Contains(Codes(), s.Code):
		return Suppression{}, "names no code of daprise"
	case !s.Code.Warns():
		return Suppression{}, "names a code that always refuses: only warnings can be suppressed"
	case s.Reason == "":
		return Suppression{}, "gives no reason"
	case err != nil:
		return Suppression{}, "ends in " + quoted(day) + ", which is not a day like 2026-12-31"
	}
	s.Until = until
	return s, ""
}

func wrongSuppress(value string) string {
	for entry := range strings.SplitSeq(value, ";") {
		entry = strings.TrimSpace(entry)
		if _, wrong := suppression(entry); wrong != "" {
			return quoted(entry) + " " + wrong
		}
	}
	if _, err := Suppressions(value); err != nil {
		return quoted(value) + " names a code twice"
	}
	return ""
}

// Holds says whether a suppression holds at a time: up to the end of its last day, UTC.
func (s Suppression) Holds(at time.Time) bool { return at.Before(s.Until.AddDate(0, 0, 1)) }

// Suppress makes warnings silent that the value of an object's daprise.dev/suppress names: they become findings for the audit log.
// Refusals stay, and so does everything if the value is not in the grammar. It does not modify its arguments.
func Suppress(findings []Finding, value string, at time.Time) []Finding {
	entries, err := Suppressions(value)
	if value == "" || err != nil {
		return findings
	}
	findings = slices.Clone(findings)
	for i := range findings {
		f := &findings[i]
		if f.Severity == Warn && slices.ContainsFunc(entries, func(s Suppression) bool { return s.Code == f.Code && s.Holds(at) }) {
			f.Severity = Audit
		}
	}
	return findings
}
