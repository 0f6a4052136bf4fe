// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
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
