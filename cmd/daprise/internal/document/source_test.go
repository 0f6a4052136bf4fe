// SPDX-License-Identifier: Apache-2.0

package document

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes a folder of files, each a Service of its name.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		text := "apiVersion: v1\nkind: Service\nmetadata: {name: " + strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)) + "}\n"
		if filepath.Base(name) == "kustomization.yaml" {
			text = "namePrefix: built-\nresources: [a.yaml]\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func all(*Document) bool { return true }

// names are the names of all objects read.
func names(files []File) []string {
	var found []string
	for _, f := range files {
		for _, s := range f.Segments {
			if s.Document != nil {
				found = append(found, s.Document.Name)
			}
		}
	}
	return found
}

func TestSources(t *testing.T) {
	folder := tree(t, "b.yaml", "a.yml", "c.json.txt", "kustomization.yaml", "deep/d.json", "deep/deeper/e.yaml")
	built := tree(t, "a.yaml", "b.yaml", "kustomization.yaml")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/app.yaml" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "kind: Service\nmetadata: {name: fetched}\n")
	}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		name    string
		sources Sources
		want    []string
		err     string
	}{
		{name: "nothing", err: "no input: name files"},
		{name: "a file", sources: Sources{Files: []string{filepath.Join(folder, "b.yaml")}}, want: []string{"b"}},
		{name: "a file of another ending", sources: Sources{Files: []string{filepath.Join(folder, "c.json.txt")}}, want: []string{"c.json"}},
		{name: "a folder", sources: Sources{Files: []string{folder}}, want: []string{"a", "b"}},
		{name: "folders of folders", sources: Sources{Files: []string{folder}, Recursive: true}, want: []string{"a", "b", "d", "e"}},
		{name: "a folder without files", sources: Sources{Files: []string{t.TempDir()}}, err: "holds no .yaml, .yml or .json file"},
		{name: "several, in their order", sources: Sources{Files: []string{filepath.Join(folder, "b.yaml"), "-"}, Stdin: strings.NewReader("kind: Service\nmetadata: {name: stdin}\n")}, want: []string{"b", "stdin"}},
		{name: "a kustomization", sources: Sources{Kustomize: []string{built}}, want: []string{"built-a"}},
		{name: "no kustomization", sources: Sources{Kustomize: []string{filepath.Join(folder, "deep")}}, err: "unable to find one of 'kustomization.yaml'"},
		{name: "a URL", sources: Sources{Files: []string{server.URL + "/app.yaml"}}, want: []string{"fetched"}},
		{name: "a URL of nothing", sources: Sources{Files: []string{server.URL + "/absent.yaml"}}, err: "not answered with 200: 404 Not Found"},
		{name: "a server that is not there", sources: Sources{Files: []string{"http://127.0.0.1:1/app.yaml"}}, err: "connection refused"},
		{name: "an absent file", sources: Sources{Files: []string{filepath.Join(folder, "absent.yaml")}}, err: "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told []string
			test.sources.Wanted, test.sources.Reading = all, func(name string) { told = append(told, filepath.Base(name)) }
			files, err := test.sources.Read(t.Context())
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, names(files)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if stdin := slices.Contains(test.sources.Files, "-"); len(told) == 0 || !stdin && len(told) != len(files) {
				t.Errorf("told of %q, read %d files", told, len(files))
			}
		})
	}
}

// TestUnwanted: of objects that nobody asks for, the text is kept and nothing else.
func TestUnwanted(t *testing.T) {
	const text = "kind: Service\n---\nkind: Secret\ndata: {a: b}\n"
	f := parse("f.yaml", []byte(text), func(d *Document) bool { return d.Kind == "Service" })
	if joined(f) != text {
		t.Errorf("bytes differ: %q", joined(f))
	}
	for _, s := range f.Segments {
		if has := s.Document.JSON != nil; has != (s.Document.Kind == "Service") {
			t.Errorf("%s has JSON: %v", s.Document.Kind, has)
		}
	}
}
