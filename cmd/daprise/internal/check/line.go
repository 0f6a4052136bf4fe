// SPDX-License-Identifier: Apache-2.0

// Package check looks whether a cluster has what daprise needs and whether daprise does what it should there. Each check has a file: what it
// reads, and a function that judges what was read, and that alone.
package check

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/mesh"
)

// State of one line.
type State string

// States.
const (
	OK State = "ok"
	// Warn does not stop daprise, but is not as it should be.
	Warn State = "warn"
	// Fail stops daprise or what it promises.
	Fail State = "fail"
	// Skip says that there was nothing to look at.
	Skip State = "skip"
	// Unread says that the cluster did not let itself be read.
	Unread State = "unread"
)

// Line is one thing that was looked at.
type Line struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Message string `json:"message"`
	// Hint says what to do; it is empty where nothing is.
	Hint string `json:"hint,omitempty"`
}

func ok(message string, values ...any) Line {
	return Line{State: OK, Message: fmt.Sprintf(message, values...)}
}

func skip(message string, values ...any) Line {
	return Line{State: Skip, Message: fmt.Sprintf(message, values...)}
}

// hinted is a line that asks for something to be done.
func hinted(state State, message, hint string) Line {
	return Line{State: state, Message: message, Hint: hint}
}

// Run makes all checks, in their order. What one of them cannot read is a line, not an error.
func Run(ctx context.Context, c *Cluster) []Line {
	var lines []Line
	for _, one := range []struct {
		name string
		run  func(context.Context, *Cluster) ([]Line, error)
	}{
		{"kubernetes", kubernetes},
		{"cilium", cilium},
		{"gateway api", gatewayAPI},
		{"dapr", dapr},
		{"cert-manager", certManager},
		{"daprise", installed},
		{"hooks", configurations},
		{"certificate", certificate},
		{"enforcing", enforcing},
		{"dapr-shared", leftovers},
	} {
		found, err := one.run(ctx, c)
		if err != nil {
			found = append(found, hinted(Unread, err.Error(), "See that you may read this, and that the API server answers, then check again."))
		}
		for _, line := range found {
			line.Check = one.name
			lines = append(lines, line)
		}
	}
	return lines
}

// Worst is the gravest state of all lines.
func Worst(lines []Line) State {
	worst := OK
	rank := map[State]int{Skip: 0, OK: 0, Warn: 1, Fail: 2, Unread: 3}
	for _, line := range lines {
		if rank[line.State] > rank[worst] {
			worst = line.State
		}
	}
	return worst
}

// Write writes lines for people.
func Write(out io.Writer, lines []Line, paint report.Painter) error {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%s %s %s\n", painted(paint, line.State, fmt.Sprintf("%-6s", line.State)), fmt.Sprintf("%-12s", line.Check), line.Message)
		if line.Hint != "" {
			fmt.Fprintf(&b, "%20s%s\n", "", line.Hint)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func painted(paint report.Painter, state State, text string) string {
	switch state {
	case Fail, Unread:
		return paint(mesh.Deny, text)
	case Warn:
		return paint(mesh.Warn, text)
	default:
		return text
	}
}
