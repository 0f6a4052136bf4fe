// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	syaml "sigs.k8s.io/yaml"
)

// joined are the bytes of a file's segments.
func joined(f File) string {
	var b bytes.Buffer
	for _, s := range f.Segments {
		b.Write(s.Text)
	}
	return b.String()
}

// told is what was read of a file: one line for each object and each problem.
func told(f File) []string {
	var lines []string
	for _, s := range f.Segments {
		if d := s.Document; d != nil {
			lines = append(lines, fmt.Sprintf("%d:%d@%d %s %s %s/%s", d.Number, d.Item, d.Line, d.APIVersion, d.Kind, d.Namespace, d.Name))
		}
	}
	for _, p := range f.Problems {
		lines = append(lines, p.String())
	}
	return lines
}

const service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n"

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{name: "nothing"},
		{name: "space and comments", text: "# a\n---\n---\n# b\n\n"},
		{name: "one", text: service, want: []string{"1:0@1 v1 Service /a"}},
		{name: "without a last line break", text: strings.TrimSpace(service), want: []string{"1:0@1 v1 Service /a"}},
		{name: "two, an empty one between", text: "# head\n---\n" + service + "---\n# nothing\n---\n" + service, want: []string{"1:0@1 v1 Service /a", "3:0@9 v1 Service /a"}},
		{name: "CRLF", text: strings.ReplaceAll("---\n"+service+"---\n"+service, "\n", "\r\n"), want: []string{"1:0@1 v1 Service /a", "2:0@6 v1 Service /a"}},
		{name: "document end", text: service + "...\n" + service, want: []string{"1:0@1 v1 Service /a", "2:0@6 v1 Service /a"}},
		{name: "a directive", text: "%YAML 1.1\n---\n" + service, want: []string{"1:0@1 v1 Service /a"}},
		{name: "dashes in a scalar", text: "kind: ConfigMap\ndata:\n  a: |\n    ---\n    b\n", want: []string{"1:0@1  ConfigMap /"}},
		{
			name: "broken, the rest is read", text: "---\n" + service + "---\nkind: Service\n a: b: c\n---\n" + service,
			want: []string{"1:0@1 v1 Service /a", "3:0@9 v1 Service /a", "f.yaml:8: document 2: mapping values are not allowed in this context"},
		},
		{name: "a key twice", text: "kind: A\nmetadata: {name: a}\nkind: B\n", want: []string{`f.yaml:3: document 1: key "kind" already set in map`}},
		{name: "no object", text: "- a\n", want: []string{"f.yaml:1: document 1: not a Kubernetes object"}},
		{name: "no kind", text: "a: b\n", want: []string{"f.yaml:1: document 1: no kind: not a Kubernetes object"}},
		{
			name: "a List as kubectl writes it", text: "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n# between\n- kind: Deployment\n  apiVersion: apps/v1\nkind: List\nmetadata:\n  resourceVersion: \"\"\n",
			want: []string{"1:1@3 v1 Service /a", "1:2@8 apps/v1 Deployment /"},
		},
		{
			name: "an indented List", text: "apiVersion: v1\nkind: List\nitems:\n  - kind: A\n    x: |\n      - b\n  - kind: B\n",
			want: []string{"1:1@4  A /", "1:2@7  B /"},
		},
		{name: "a List whose items share an anchor", text: "kind: List\nitems:\n- kind: A\n  a: &x 1\n- kind: B\n  a: *x\n", want: []string{
			"1:0@1  List /", "f.yaml:1: document 1: the items of this List cannot be told apart (they share an anchor, or are indented unevenly); write them as documents of their own",
		}},
		{name: "a broken item, the rest is read", text: "kind: List\nitems:\n- kind: A\n  b: c: d\n- kind: B\n", want: []string{
			"1:2@5  B /", "f.yaml:4: document 1, item 1: mapping values are not allowed in this context",
		}},
		{name: "a List in JSON", text: `{"kind": "List",` + "\n" + ` "items": [{"kind": "A"}, {"kind": "B", "metadata": {"name": "b"}}]}`, want: []string{"1:1@2  A /", "1:2@2  B /b"}},
		{name: "JSON", text: "{\n  \"kind\": \"A\"\n}\n", want: []string{"1:0@1  A /"}},
		{name: "anchors", text: "kind: A\nmetadata: {name: &n a, labels: {app: *n}}\n", want: []string{"1:0@1  A /a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := Parse("f.yaml", []byte(test.text))
			if diff := cmp.Diff(test.text, joined(f)); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, told(f)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOversized(t *testing.T) {
	big := "kind: ConfigMap\ndata:\n  a: " + strings.Repeat("x", MaxSize) + "\n---\n" + service
	f := Parse("f.yaml", []byte(big))
	if joined(f) != big {
		t.Error("bytes differ")
	}
	want := []string{"2:0@4 v1 Service /a", "f.yaml:1: document 1: has 4194332 bytes, over 4194304: no API server would store it, and it is not read"}
	if diff := cmp.Diff(want, told(f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// first is the first object of a text.
func first(t testing.TB, text string) *Document {
	t.Helper()
	for _, s := range Parse("f.yaml", []byte(text)).Segments {
		if s.Document != nil {
			return s.Document
		}
	}
	t.Fatalf("no object in\n%s", text)
	return nil
}

func TestPosition(t *testing.T) {
	const text = "# head\n---\nkind: HTTPRoute\nmetadata:\n  annotations:\n    daprise.dev/invoke: x\nspec:\n  rules:\n  - matches: []\n    filters: [{type: A}, {type: B}]\n"
	for _, test := range []struct {
		path string
		want Position
	}{
		{"", Position{3, 1}},
		{"metadata.annotations[daprise.dev/invoke]", Position{6, 5}},
		{"metadata.annotations[daprise.dev/replicas]", Position{5, 3}},
		{"spec.rules[0].filters[1]", Position{10, 26}},
		{"spec.rules[0].filters[1].type", Position{10, 27}},
		{"spec.rules[7].filters", Position{8, 3}},
		{"status", Position{3, 1}},
	} {
		if got, ok := first(t, text).Position(test.path); !ok || got != test.want {
			t.Errorf("%q is at %v, want %v", test.path, got, test.want)
		}
	}
	for _, test := range []struct {
		name, text string
		want       Position
	}{
		{"an item", "kind: List\nitems:\n- kind: A\n  metadata:\n    name: a\n", Position{5, 5}},
		{"an item of JSON", `{"kind": "List", "items": [{"kind": "A", "metadata": {"name": "a"}}]}`, Position{1, 55}},
		{"CRLF", "kind: A\r\nmetadata:\r\n  name: a\r\n", Position{3, 3}},
	} {
		if got, ok := first(t, test.text).Position("metadata.name"); !ok || got != test.want {
			t.Errorf("%s: metadata.name is at %v, want %v", test.name, got, test.want)
		}
	}
}

const route = `---
# The way in.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute # v1
metadata:
  name: "web"
spec:
  parentRefs:
  - name: gw
  rules:
  # All of it.
  - matches:
    - path: {type: PathPrefix, value: /}
    backendRefs:
    # To the app.
    - name: web   # by name
      port: 80

  # The rest.
  - backendRefs:
    - name: other
      port: 81
# The end.
`

// changed is the object of a text after a change.
func changed(t testing.TB, d *Document, change func(map[string]any)) []byte {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(d.JSON, &object); err != nil {
		t.Fatal(err)
	}
	change(object)
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rewrite does what admission does to a route.
func rewrite(o map[string]any) {
	o["metadata"].(map[string]any)["annotations"] = map[string]any{"daprise.dev/original": `{"a": "b"}`, "daprise.dev/revision": "12"}
	rule := o["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
	rule["filters"] = []any{map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{"path": "x"}}}
	rule["backendRefs"] = []any{map[string]any{"name": "ingress-dapr", "port": 3500, "kind": "Service", "group": ""}}
}

func TestWith(t *testing.T) {
	d := first(t, route)
	text, err := d.With(changed(t, d, rewrite))
	if err != nil {
		t.Fatal(err)
	}
	const want = `---
# The way in.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute # v1
metadata:
  name: "web"
  annotations:
    daprise.dev/original: '{"a": "b"}'
    daprise.dev/revision: "12"
spec:
  parentRefs:
  - name: gw
  rules:
  # All of it.
  - matches:
    - path: {type: PathPrefix, value: /}
    backendRefs:
    # To the app.
    - name: ingress-dapr   # by name
      port: 3500
      group: ""
      kind: Service
    filters:
    - type: URLRewrite
      urlRewrite:
        path: x

  # The rest.
  - backendRefs:
    - name: other
      port: 81
# The end.
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWithAndBack: changing an object and changing it back gives the same bytes.
func TestWithAndBack(t *testing.T) {
	const wide = "kind: HTTPRoute\nmetadata:\n  name: web\nspec:\n  rules:\n    - matches:\n        - path: {value: /}\n      backendRefs:\n        - name: web\n          port: 80\n"
	for _, test := range []struct{ name, text string }{
		{"block", route},
		{"CRLF", strings.ReplaceAll(route, "\n", "\r\n")},
		{"wide", wide},
		{"without a last line break", strings.TrimSpace(route)},
		{"flow", "kind: HTTPRoute\nmetadata: {name: web}\nspec:\n  rules: [{matches: [{path: x}], backendRefs: [{name: web, port: 80}]}] # one\n"},
		{"flow inside", "kind: HTTPRoute\nmetadata: {name: web}\nspec:\n  rules:\n  - matches: [{path: x}]\n    backendRefs: [{name: web, port: 80}] # one\n"},
		{"an item", "kind: List\nitems:\n- kind: HTTPRoute\n  metadata:\n    name: web\n  spec:\n    rules:\n    - backendRefs:\n      - name: web\n        port: 80\n"},
		{"anchors", "kind: HTTPRoute\nmetadata:\n  name: &name web\nspec:\n  rules:\n  - backendRefs:\n    - name: web\n      port: 80\n  - backendRefs:\n    - {name: *name, port: 81}\n"},
		{"JSON", "{\n    \"kind\": \"HTTPRoute\",\n    \"metadata\": {\n        \"name\": \"web\"\n    },\n    \"spec\": {\n        \"rules\": [\n            {\n                \"backendRefs\": [\n                    {\n                        \"name\": \"web\",\n                        \"port\": 80\n                    }\n                ]\n            }\n        ]\n    }\n}\n"},
		{"JSON in one line", `{"spec":{"rules":[{"backendRefs":[{"port":80,"name":"web"}]}]},"kind":"HTTPRoute","metadata":{"name":"w<>eb"}}`},
		{"not ASCII", "kind: HTTPRoute\nmetadata:\n  name: ünïcode # ü\nspec:\n  rules:\n  - name: ü\n    backendRefs:\n    - {name: ü, port: 80} # ü\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := first(t, test.text)
			there, err := d.With(changed(t, d, rewrite))
			if err != nil {
				t.Fatal(err)
			}
			changed := *d
			changed.Text = there
			if err := changed.decode(); err != nil {
				t.Fatalf("%v\n%s", err, there)
			}
			if d.dash >= 0 && !bytes.HasPrefix(there, []byte("- ")) {
				t.Errorf("no dash:\n%s", there)
			}
			back, err := changed.With(d.JSON)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(d.Text), string(back)); diff != "" {
				t.Errorf("(-want +got):\n%s\nin between:\n%s", diff, there)
			}
		})
	}
}

func TestWithAnchors(t *testing.T) {
	const text = "# head\nkind: A\nbase: &base\n  a: 1 # one\n  b: 2\nmetadata:\n  <<: *base\n  name: a # name\nlabels: &labels\n  app: a\nother: *labels\n"
	field := func(name string) func(map[string]any) map[string]any {
		return func(o map[string]any) map[string]any { return o[name].(map[string]any) }
	}
	for _, test := range []struct {
		name       string
		in         func(map[string]any) map[string]any
		key, value string
		want       string
	}{
		{"beside them", field("metadata"), "name", "b", strings.Replace(text, "name: a", "name: b", 1)},
		{"a key more", field("metadata"), "x", "z", strings.Replace(text, "name: a # name\n", "name: a # name\n  x: z\n", 1)},
		{"a merged value", field("metadata"), "a", "z", "# head\nkind: A\nbase: &base\n  a: 1 # one\n  b: 2\nmetadata:\n  name: a # name\n  a: z\n  b: 2\nlabels: &labels\n  app: a\nother: *labels\n"},
		// Both places would change with it: the other is written out.
		{"an anchored value", field("labels"), "app", "b", strings.Replace(strings.Replace(text, "other: *labels", "other: {app: a}", 1), "  app: a\n", "  app: b\n", 1)},
		{"a merged mapping", field("base"), "a", "z", strings.Replace(strings.Replace(text, "a: 1 #", "a: z #", 1), "<<: *base", "<<: {a: 1, b: 2}", 1)},
		{"an alias", field("other"), "app", "b", strings.Replace(text, "other: *labels\n", "other:\n  app: b\n", 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := first(t, text)
			got, err := d.With(changed(t, d, func(o map[string]any) { test.in(o)[test.key] = test.value }))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzWith: whatever one object is changed to, the text reads as that.
func FuzzWith(f *testing.F) {
	for _, text := range []string{route, service, "a: [b, {c: d}]\n", "- kind: x\n", "kind: \"on\"\nx: |\n  # a\n  b\n"} {
		f.Add(text, route)
	}
	f.Add("kind: A\nb:\n- c\n- d\n", "kind: A\nb:\n- x\n- c\n- e: f\n")
	f.Fuzz(func(t *testing.T, from, to string) {
		file := Parse("f.yaml", []byte(from))
		if joined(file) != from {
			t.Fatalf("bytes differ: %q, want %q", joined(file), from)
		}
		want, err := syaml.YAMLToJSONStrict([]byte(to))
		if err != nil || !json.Valid(want) {
			return
		}
		for _, s := range file.Segments {
			if s.Document == nil {
				continue
			}
			text, err := s.Document.With(want)
			if err != nil {
				continue // said, not hidden
			}
			changed := *s.Document
			changed.Text = text
			got, err := syaml.YAMLToJSONStrict(changed.source())
			if err != nil || !json.Valid(got) {
				t.Fatalf("%v:\n%s", err, text)
			}
			a, _ := valueOf(got)
			b, _ := valueOf(want)
			if diff := cmp.Diff(b, a); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
	})
}
