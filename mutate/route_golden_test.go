// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// A case is a folder of testdata/route: in.yaml and view.yaml, old.yaml for an update, and as goldens out.yaml for what is admitted,
// error.txt for what is refused, warnings.txt, and restored.yaml where leaving the mesh does not give in.yaml back, which it may do
// only where in.yaml names a companion.

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// routeCase is one case, read.
type routeCase struct {
	folder  string
	request mutate.Request
	view    *mesh.View
}

func routeCases(t testing.TB) []routeCase {
	t.Helper()
	folders, err := filepath.Glob("testdata/route/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := make([]routeCase, 0, len(folders))
	for _, folder := range folders {
		c := routeCase{folder: folder, view: &mesh.View{}}
		c.request.Object = readJSON(t, filepath.Join(folder, "in.yaml"))
		if _, err := os.Stat(filepath.Join(folder, "old.yaml")); err == nil {
			c.request.OldObject = readJSON(t, filepath.Join(folder, "old.yaml"))
		}
		var meta struct{ Kind string }
		if err := json.Unmarshal(c.request.Object, &meta); err != nil {
			t.Fatal(err)
		}
		c.request.Kind = meta.Kind
		data, err := os.ReadFile(filepath.Join(folder, "view.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, c.view); err != nil {
			t.Fatalf("%s: view.yaml: %v", folder, err)
		}
		cases = append(cases, c)
	}
	return cases
}

func readJSON(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err = yaml.YAMLToJSONStrict(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

func TestRouteGolden(t *testing.T) {
	for _, c := range routeCases(t) {
		t.Run(filepath.Base(c.folder), func(t *testing.T) {
			result, err := mutate.Route(c.request, c.view)
			if err != nil {
				t.Fatal(err)
			}
			goldens := map[string]string{"out.yaml": "", "error.txt": "", "warnings.txt": "", "restored.yaml": ""}
			for _, f := range result.Findings {
				file := "warnings.txt"
				if f.Severity == mesh.Deny {
					file = "error.txt"
				}
				goldens[file] += f.Text() + "\n"
			}
			if mesh.Denied(result.Findings) {
				if len(result.Patch) > 0 {
					t.Errorf("refused and patched: %v", result.Patch)
				}
			} else {
				out := applied(t, c.request.Object, result)
				goldens["out.yaml"] = toYAML(t, out)
				checkRouteProperties(t, c.request.Kind, c.request.Object, out, c.view)
				if back := leave(t, c.request.Kind, out, c.view); !equal(t, back, c.request.Object) {
					goldens["restored.yaml"] = toYAML(t, back)
					if !bytes.Contains(c.request.Object, []byte("-dapr")) && !bytes.Contains(c.request.Object, []byte(mesh.AnnotationOriginal)) {
						t.Errorf("leaving the mesh does not give the route back (-want +got):\n%s", cmp.Diff(toYAML(t, c.request.Object), toYAML(t, back)))
					}
				}
			}
			for file, want := range goldens {
				checkGolden(t, filepath.Join(c.folder, file), want)
			}
		})
	}
}

// checkRouteProperties holds an outcome against what must be true of every outcome.
func checkRouteProperties(t tester, kind string, in, out []byte, view *mesh.View) {
	t.Helper()
	again := mutated(t, mutate.Request{Kind: kind, Object: out, OldObject: out}, view)
	if !equal(t, again, out) {
		t.Errorf("not idempotent (-once +twice):\n%s", cmp.Diff(toYAML(t, out), toYAML(t, again)))
	}
	// A client that applies its manifest again sends its own rules and leaves annotations alone that it does not know.
	reapplied := withAnnotationsOf(t, in, out)
	if again := mutated(t, mutate.Request{Kind: kind, Object: reapplied, OldObject: out}, view); !equal(t, again, out) {
		t.Errorf("not stable under another apply (-stored +after):\n%s", cmp.Diff(toYAML(t, out), toYAML(t, again)))
	}
}

// mutated is the object after a mutation that must be admitted. The arguments must be as before.
func mutated(t tester, request mutate.Request, view *mesh.View) []byte {
	t.Helper()
	object, old := slices.Clone(request.Object), slices.Clone(request.OldObject)
	before, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	result, err := mutate.Route(request, view)
	if err != nil {
		t.Fatal(err)
	}
	if mesh.Denied(result.Findings) {
		t.Fatalf("refused: %s", texts(result.Findings))
	}
	after, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) || !bytes.Equal(object, request.Object) || !bytes.Equal(old, request.OldObject) {
		t.Errorf("an argument was modified")
	}
	return applied(t, request.Object, result)
}

// leave is the route after its Gateway and its apps left the mesh, while their companions are still there.
func leave(t tester, kind string, stored []byte, view *mesh.View) []byte {
	t.Helper()
	left := *view
	left.Apps, left.Ingresses = nil, nil
	for _, a := range view.Apps {
		left.CompanionServices = append(left.CompanionServices, mesh.Name{Namespace: a.Namespace, Name: mesh.CompanionName(a.ID)})
	}
	for _, g := range view.Ingresses {
		left.CompanionServices = append(left.CompanionServices, mesh.Name{Namespace: g.Namespace, Name: mesh.CompanionName(g.ID)})
	}
	return mutated(t, mutate.Request{Kind: kind, Object: stored, OldObject: stored}, &left)
}

// applied is the object after a patch, applied as the API server does.
func applied(t tester, object []byte, result mutate.Result) []byte {
	t.Helper()
	if len(result.Patch) == 0 {
		return object
	}
	data, err := mutate.EncodePatch(result.Patch)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("%v\npatch: %s", err, data)
	}
	return out
}

func withAnnotationsOf(t tester, object, from []byte) []byte {
	t.Helper()
	a, b := tree(t, object), tree(t, from)
	annotations := b["metadata"].(map[string]any)["annotations"]
	if annotations != nil {
		a["metadata"].(map[string]any)["annotations"] = annotations
	}
	return marshal(t, a)
}

func tree(t tester, data []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var m map[string]any
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return m
}

func marshal(t tester, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// equal compares as JSON: key by key, numbers digit by digit.
func equal(t tester, a, b []byte) bool {
	t.Helper()
	return cmp.Equal(tree(t, a), tree(t, b))
}

func toYAML(t tester, data []byte) string {
	t.Helper()
	out, err := yaml.JSONToYAML(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func texts(findings []mesh.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(f.Text() + "\n")
	}
	return b.String()
}

// checkGolden compares a golden file, which must not exist where want is empty.
func checkGolden(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if *update {
		if want == "" {
			_ = os.Remove(path)
			return
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
