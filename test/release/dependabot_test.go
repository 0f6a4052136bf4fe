// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type dependabot struct {
	Updates []struct {
		Ecosystem   string   `json:"package-ecosystem"`
		Directory   string   `json:"directory"`
		Directories []string `json:"directories"`
	} `json:"updates"`
}

// TestDependabotKnowsEveryModule: each go.mod is in exactly one entry, and the image's bases and the workflows' actions in one each.
func TestDependabotKnowsEveryModule(t *testing.T) {
	var config dependabot
	if err := yaml.Unmarshal([]byte(read(t, ".github", "dependabot.yml")), &config); err != nil {
		t.Fatal(err)
	}
	var others []string
	for _, update := range config.Updates {
		if update.Ecosystem != "gomod" {
			others = append(others, update.Ecosystem+" "+update.Directory)
		}
	}
	if want := []string{"docker /", "github-actions /"}; !slices.Equal(others, want) {
		t.Errorf("entries beside Go's are %q, want %q", others, want)
	}
	for _, module := range modules(t) {
		var entries []int
		for i, update := range config.Updates {
			if update.Ecosystem == "gomod" && slices.ContainsFunc(update.Directories, func(pattern string) bool { return matches(t, pattern, module) }) {
				entries = append(entries, i)
			}
		}
		if len(entries) != 1 {
			t.Errorf("module %s is in the entries %v, want exactly one", module, entries)
		}
	}
}

func matches(t *testing.T, pattern, module string) bool {
	t.Helper()
	ok, err := path.Match(pattern, module)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// modules are the folders with a go.mod, from the root, which is "/".
func modules(t *testing.T) []string {
	t.Helper()
	var all []string
	top := root(t)
	err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || (strings.HasPrefix(entry.Name(), ".") && file != top)) {
			return fs.SkipDir
		}
		if entry.Name() == "go.mod" {
			all = append(all, filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), top)+"/"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, module := range all {
		if module != "/" {
			all[i] = strings.TrimSuffix(module, "/")
		}
	}
	return all
}
