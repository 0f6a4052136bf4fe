// SPDX-License-Identifier: Apache-2.0

package document

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/cmd/daprise/internal/notation"
)

const deployment = `kind: Deployment
metadata:
  name: web
  labels: &labels # everywhere
    app: web
spec:
  selector: {matchLabels: *labels}
  template:
    metadata:
      labels: *labels
`

// TestNoting: what an alias, or a style of flow, would lose is noted behind the document.
func TestNoting(t *testing.T) {
	label := func(o map[string]any) {
		o["metadata"].(map[string]any)["labels"].(map[string]any)["daprise.dev/app-id"] = "web"
	}
	const want = `kind: Deployment
metadata:
  name: web
  labels: &labels # everywhere
    app: web
    daprise.dev/app-id: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
# For daprise uninject: what it would write from line 7 on (-), and what was there (+).
#-  selector: {matchLabels: {app: web}}
#-  template:
#-    metadata:
#-      labels: {app: web}
#+  selector: {matchLabels: *labels}
#+  template:
#+    metadata:
#+      labels: *labels
`
	d := first(t, deployment)
	there, err := d.Noting(changed(t, d, label))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(there)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct{ name, from, to, want string }{
		{name: "as it was", want: deployment},
		{"a line more elsewhere", "  name: web\n", "  name: web\n  namespace: shop\n", strings.NewReplacer("  name: web\n", "  name: web\n  namespace: shop\n", "*labels}", "{app: web}}", "labels: *labels", "labels: {app: web}").Replace(deployment)},
		{"another value there", "matchLabels: {app: web}}\n  t", "matchLabels: {app: x}}\n  t", strings.NewReplacer("*labels}", "{app: x}}", "labels: *labels", "labels: {app: web}").Replace(deployment)},
		{"a note that says something else", "#+  selector: {matchLabels: *labels}", "#+  selector: {matchLabels: {app: evil}}", strings.NewReplacer("*labels}", "{app: web}}", "labels: *labels", "labels: {app: web}").Replace(deployment)},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := first(t, strings.Replace(string(there), test.from, test.to, 1))
			back, err := d.Back(changed(t, d, func(o map[string]any) {
				delete(o["metadata"].(map[string]any)["labels"].(map[string]any), "daprise.dev/app-id")
			}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(back)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// object draws an object of the shapes that admission changes.
func object(t *rapid.T) map[string]any {
	labels := func(name string) map[string]any {
		return rapid.SampledFrom([]map[string]any{{"app": "web"}, {"app": "web"}, {"app": "web", "tier": "x"}, {}}).Draw(t, name)
	}
	backends := func() []any {
		return rapid.SampledFrom([][]any{
			{map[string]any{"name": "web", "port": json.Number("80")}},
			{map[string]any{"name": "web", "port": json.Number("80")}, map[string]any{"name": "it's: so", "port": json.Number("81"), "weight": json.Number("3")}},
		}).Draw(t, "backends")
	}
	var rules []any
	for range rapid.IntRange(1, 3).Draw(t, "rules") {
		rule := map[string]any{"backendRefs": backends()}
		if rapid.Bool().Draw(t, "matches") {
			rule["matches"] = []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}}
		}
		rules = append(rules, rule)
	}
	return map[string]any{
		"kind": "Thing", "apiVersion": "v1",
		"metadata": map[string]any{"name": "web", "labels": labels("labels"), "annotations": map[string]any{"on": "true", "note": "line\nline"}},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": labels("selector")}, "rules": rules, "empty": []any{},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels("template")},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "env": []any{map[string]any{"name": "A", "value": "1"}}}}},
			},
		},
	}
}

// inject changes an object as admission does, at some of the places where it does.
func inject(t *rapid.T, o map[string]any) {
	metadata := o["metadata"].(map[string]any)
	if rapid.Bool().Draw(t, "label") {
		metadata["labels"].(map[string]any)["daprise.dev/app-id"] = "web"
	}
	if rapid.Bool().Draw(t, "record") {
		metadata["annotations"].(map[string]any)["daprise.dev/original"] = `{"a": "b"}`
	}
	spec := o["spec"].(map[string]any)
	for _, rule := range spec["rules"].([]any) {
		if rule := rule.(map[string]any); rapid.Bool().Draw(t, "rewritten") {
			rule["filters"] = []any{map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{"path": "x"}}}
			rule["backendRefs"] = []any{map[string]any{"name": "ingress-dapr", "port": json.Number("3500"), "kind": "Service", "group": ""}}
		}
	}
	if rapid.Bool().Draw(t, "endpoint") {
		container := spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
		container["env"] = append(container["env"].([]any), map[string]any{"name": "DAPR_HTTP_ENDPOINT", "value": "http://web-dapr-api:3500"})
	}
}

// TestNotingAndBack: however an object is written, Back gives its bytes after Noting, and what is in between reads as the changed object.
func TestNotingAndBack(t *testing.T) {
	notes, documents := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := notation.Ended(t, notation.Document(t, object(t)))
		file := Parse("f.yaml", []byte(text))
		if len(file.Segments) != 1 || file.Segments[0].Document == nil {
			t.Fatalf("not one object: %v in\n%s", file.Problems, text)
		}
		d := file.Segments[0].Document
		want := changedTo(t, d)
		there, err := d.Noting(want)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		documents++
		if strings.Contains(string(there), "# For daprise uninject") {
			notes++
		}
		again := Parse("f.yaml", there)
		if len(again.Segments) != 1 || again.Segments[0].Document == nil {
			t.Fatalf("not one object: %v in\n%s\nwhich was\n%s", again.Problems, there, text)
		}
		if diff := cmp.Diff(value(t, want), value(t, again.Segments[0].Document.JSON)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		back, err := again.Segments[0].Document.Back(d.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(back)); diff != "" {
			t.Fatalf("(-want +got):\n%s\nin between:\n%s", diff, there)
		}
	})
	t.Logf("%d of %d documents have a note", notes, documents)
}

func changedTo(t *rapid.T, d *Document) []byte {
	o, ok := value(t, d.JSON).(map[string]any)
	if !ok {
		t.Fatalf("no object: %s", d.JSON)
	}
	inject(t, o)
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func value(t *rapid.T, data []byte) any {
	v, err := valueOf(data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
