// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Style says which columns a table has.
type Style int

// Styles.
const (
	Narrow Style = iota
	// Wide also tells what stands in the way.
	Wide
)

// Table is the rows for people, as kubectl writes tables. now is the clock by which ages are told.
func Table(rows []Row, style Style, now time.Time) string {
	if len(rows) == 0 {
		return "Nothing is enrolled.\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	heads := []string{"NAMESPACE", "APP", "OBJECT", "COMPANION", "READY", "COVERED", "ROUTES", "JOINING"}
	if style == Wide {
		heads = append(heads, "MESSAGE")
	}
	// A strings.Builder takes every write.
	_, _ = fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, r := range rows {
		cells := []string{
			r.Namespace, orNone(r.App), strings.ToLower(r.Object.Kind) + "/" + r.Object.Name, r.Companion,
			fmt.Sprintf("%d/%d", r.Ready, r.Wanted), orNone(r.Covered), fmt.Sprint(r.Routes), joining(r, now),
		}
		if style == Wide {
			first, _, _ := strings.Cut(r.Message, "\n")
			cells = append(cells, orNone(first))
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
	// The last column is not padded.
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func joining(r Row, now time.Time) string {
	if r.JoiningSince == nil {
		return "-"
	}
	return duration.HumanDuration(now.Sub(*r.JoiningSince))
}
