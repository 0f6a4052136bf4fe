// SPDX-License-Identifier: Apache-2.0

package document

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	syaml "sigs.k8s.io/yaml"
)

// TestWrittenJSONList leaves items out of a List in JSON: what is written is a List of the others, and their bytes are as they were.
func TestWrittenJSONList(t *testing.T) {
	const list = `{
  "kind": "List",
  "items": [
    {"kind": "A"},
    {"kind": "B"},
    {"no": "kind"},
    {"kind": "C"}
  ],
  "apiVersion": "v1"
}
`
	before, after, _ := strings.Cut(list, `    {"kind": "A"}`)
	_, after, _ = strings.Cut(after, `{"kind": "C"}`)
	for _, test := range []struct {
		name    string
		without []string
		want    string
	}{
		{"nothing", nil, `    {"kind": "A"},
    {"kind": "B"},
    {"no": "kind"},
    {"kind": "C"}`},
		{"the first", []string{"A"}, `    {"kind": "B"},
    {"no": "kind"},
    {"kind": "C"}`},
		{"one inside", []string{"B"}, `    {"kind": "A"},
    {"no": "kind"},
    {"kind": "C"}`},
		{"the last", []string{"C"}, `    {"kind": "A"},
    {"kind": "B"},
    {"no": "kind"}`},
		{"both ends", []string{"A", "C"}, `    {"kind": "B"},
    {"no": "kind"}`},
		{"all that can be read", []string{"A", "B", "C"}, `    {"no": "kind"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := without(Parse("f.json", []byte(list)), test.without)
			if diff := cmp.Diff(before+test.want+after, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON:\n%s", got)
			}
		})
	}
	t.Run("all, in one line", func(t *testing.T) {
		got := without(Parse("f.json", []byte(`{"kind":"List","items":[{"kind":"A"},{"kind":"B"}]}`)), []string{"A", "B"})
		if want := `{"kind":"List","items":[]}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("two Lists", func(t *testing.T) {
		got := without(Parse("f.json", []byte("{\"kind\":\"List\",\"items\":[{\"kind\":\"A\"},{\"kind\":\"B\"}]}\n---\n{\"kind\":\"List\",\"items\":[{\"kind\":\"A\"},{\"kind\":\"B\"}]}\n")), []string{"A"})
		if want := "{\"kind\":\"List\",\"items\":[{\"kind\":\"B\"}]}\n---\n{\"kind\":\"List\",\"items\":[{\"kind\":\"B\"}]}\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("YAML has no commas", func(t *testing.T) {
		got := without(Parse("f.yaml", []byte("kind: List\nitems:\n- kind: A\n- kind: B\n# of C\n- kind: C\n")), []string{"B"})
		if want := "kind: List\nitems:\n- kind: A\n- kind: C\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// without is a file without the objects of some kinds.
func without(f File, kinds []string) string {
	var b strings.Builder
	for text := range f.Written(func(d *Document) ([]byte, bool) { return d.Text, !slices.Contains(kinds, d.Kind) }) {
		b.Write(text)
	}
	return b.String()
}

// TestWords: what counts as a word without being parsed is what a parser reads as that string.
func TestWords(t *testing.T) {
	words := 0
	for _, value := range []string{
		"app", "whoami-v1", "daprise.dev/app-id", "ClusterIP", "v1.2", "x86_64", "a/b", "None", "Infinity", "nan", "e5", "Yes1", "no-way",
		"yes", "No", "ON", "off", "y", "N", "true", "FALSE", "null", "Null", "~", "", "1", "0x10", "1e5", "12:30", "1_000", ".inf", "2026-01-01", "-", "a b", "a: b", "a #b",
	} {
		if !isWord(value) {
			continue
		}
		words++
		data, err := syaml.YAMLToJSON([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := valueOf(data); err != nil || got != value {
			t.Errorf("%q is read as %v, error %v", value, got, err)
		}
	}
	if words != 13 {
		t.Errorf("%d words", words)
	}
}
