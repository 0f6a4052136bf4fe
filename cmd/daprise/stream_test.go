// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesInOneStream: files that are written as one stay apart, whatever they begin and end with.
func TestFilesInOneStream(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []string
		want  string
	}{
		{"line breaks", []string{"kind: A\n", "kind: B\n"}, "kind: A\n---\nkind: B\n"},
		{"no line break", []string{"kind: A", "kind: B"}, "kind: A\n---\nkind: B"},
		{"a separator", []string{"kind: A", "---\nkind: B\n"}, "kind: A\n---\nkind: B\n"},
		{"a separator after space", []string{"kind: A\n", "\n---\nkind: B\n"}, "kind: A\n\n---\nkind: B\n"},
		{"an empty file", []string{"kind: A\n", "", "kind: B\n"}, "kind: A\n---\nkind: B\n"},
		{"comments", []string{"# a\n", "# b\nkind: B\n"}, "# a\n---\n# b\nkind: B\n"},
		{"JSON", []string{`{"kind": "A"}`, "kind: B\n"}, "{\"kind\": \"A\"}\n---\nkind: B\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"uninject"}
			for i, text := range test.files {
				file := filepath.Join(t.TempDir(), string(rune('a'+i))+".yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "-f", file)
			}
			if got := execute(t, args, ""); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestManyHeld: what many companions wait for is told in one line.
func TestManyHeld(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"inject", "-f", "-"}, streams{strings.NewReader(manyApps(5)), &out, &errs}); status != 0 {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	const want = "companions ingress.infra, app-0.team-0, app-1.team-0 and 3 more: their workloads are not written yet: "
	if !strings.HasPrefix(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("told: %s", errs.String())
	}
}
