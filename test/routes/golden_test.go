// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// golden is a case of mutate's. out is nil where it is refused, old where it is no update.
type golden struct {
	name         string
	kind         string
	in, old, out []byte
	view         *mesh.View
}

// goldens are those that are admitted.
func goldens(t *testing.T) []golden {
	t.Helper()
	folders, err := filepath.Glob("../../mutate/testdata/route/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	var all []golden
	for _, folder := range folders {
		if g := readGolden(t, folder); g.out != nil {
			all = append(all, g)
		}
	}
	return all
}

func readGolden(t *testing.T, folder string) golden {
	t.Helper()
	g := golden{name: filepath.Base(folder), in: jsonOf(t, filepath.Join(folder, "in.yaml")), view: &mesh.View{}}
	for file, into := range map[string]*[]byte{"old.yaml": &g.old, "out.yaml": &g.out} {
		if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
			*into = jsonOf(t, filepath.Join(folder, file))
		}
	}
	data, err := os.ReadFile(filepath.Join(folder, "view.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, g.view); err != nil {
		t.Fatal(err)
	}
	var meta struct{ Kind string }
	if err := json.Unmarshal(g.in, &meta); err != nil {
		t.Fatal(err)
	}
	g.kind = meta.Kind
	return g
}

func jsonOf(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = yaml.YAMLToJSONStrict(data); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return data
}

// TestGoldensMeanTheSame holds the goldens of mutate against the models. A golden that names a companion itself is compared with the
// user's rule that it is read as.
func TestGoldensMeanTheSame(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			original := g.in
			if strings.Contains(string(g.in), "-dapr") {
				original = restored(t, g)
			}
			if g.kind != mesh.KindHTTPRoute {
				route := grpcRoute(t, original)
				checkGRPCMeaning(t, route, grpcRoute(t, g.out), g.view, callsFor(route))
				return
			}
			route := httpRoute(t, original)
			checkMeaning(t, route, httpRoute(t, g.out), g.view, requestsFor(route))
		})
	}
}

// TestGoldensTakeEdits edits each rule of each golden as it is stored: the edit is new input, and every other rule is what it was. What else
// must be true of every outcome, the test of the goldens in mutate holds them against.
func TestGoldensTakeEdits(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			checkEdits(t, subject{kind: g.kind, in: g.in, out: g.out, view: g.view})
		})
	}
}

// restored is what a golden's outcome becomes when the route leaves the mesh, for the enrolment of the golden.
func restored(t *testing.T, g golden) []byte {
	t.Helper()
	out := tree(t, g.out)
	metadata := out["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[mesh.AnnotationEnabled] = "false"
	back, findings := admit(t, mutate.Request{Kind: g.kind, Object: encoded(t, out)}, g.view)
	if back == nil {
		t.Fatalf("leaving is refused: %v", findings)
	}
	return back
}
