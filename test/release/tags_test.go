// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"go/build/constraint"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestEveryTagIsChecked: files that only a build tag of ours brings in are linted and vetted like all others.
func TestEveryTagIsChecked(t *testing.T) {
	used := tags(t)
	var config struct {
		Run struct {
			Tags []string `json:"build-tags"`
		} `json:"run"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".golangci.yml")), &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Run.Tags, used) {
		t.Errorf(".golangci.yml has the tags %v, the sources %v", config.Run.Tags, used)
	}
	if want := "go vet -tags " + strings.Join(used, ",") + " ./...\n"; !strings.Contains(read(t, "Makefile"), "\t"+want) {
		t.Errorf("make verify-vet does not run %s", want)
	}
}

// tags are the build tags of the main module's sources, sorted, without those that say where something is built.
func tags(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	top := root(t)
	err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, other := os.Stat(filepath.Join(file, "go.mod"))
			if file != top && (other == nil || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) == ".go" {
			constraintTags(t, file, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for tag := range found {
		if !slices.Contains([]string{"linux", "unix", "tools"}, tag) {
			all = append(all, tag)
		}
	}
	slices.Sort(all)
	return all
}

// constraintTags adds the tags of one file. One that takes a file away would hide it where all tags are given.
func constraintTags(t *testing.T, file string, into map[string]bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if !constraint.IsGoBuild(line) {
			continue
		}
		expr, err := constraint.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		expr.Eval(func(tag string) bool {
			into[tag] = true
			return true
		})
		if strings.Contains(strings.ReplaceAll(line, "!linux", ""), "!") {
			t.Errorf("%s is taken away by a tag: %s", file, strings.TrimSpace(line))
		}
		return
	}
}
