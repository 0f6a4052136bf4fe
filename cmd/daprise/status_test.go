// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestExitStatusOfEveryFormat: what is found decides the exit status, whatever it is written as.
func TestExitStatusOfEveryFormat(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {daprise.dev/ANNOTATION}}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n"
	for _, test := range []struct {
		name, input string
		args        []string
		status      int
	}{
		{"nothing", "", nil, 0},
		{"a warning", strings.ReplaceAll(service, "ANNOTATION", `enabled: "true"`), nil, 0},
		{"a warning at its threshold", strings.ReplaceAll(service, "ANNOTATION", `enabled: "true"`), []string{"--threshold", "warn"}, 1},
		{"a denial", strings.ReplaceAll(service, "ANNOTATION", `enable: "true"`), nil, 1},
		{"unreadable", "a: b: c\n", nil, 2},
		{"a denial and unreadable", strings.ReplaceAll(service, "ANNOTATION", `enable: "true"`) + "---\na: b: c\n", nil, 2},
	} {
		for _, format := range []string{"table", "yaml", "json", "sarif"} {
			t.Run(test.name+" as "+format, func(t *testing.T) {
				var out, errs bytes.Buffer
				args := append([]string{"analyze", "-f", "-", "-o", format}, test.args...)
				if status := run(t.Context(), args, streams{strings.NewReader(test.input), &out, &errs}); status != test.status {
					t.Errorf("exit status %d, want %d\n%s%s", status, test.status, out.String(), errs.String())
				}
				if out.Len() == 0 {
					t.Error("nothing is written")
				}
			})
		}
	}
}
