// SPDX-License-Identifier: Apache-2.0

package imports_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/controlplane/parts"
)

// concurrent says whether a file starts a goroutine itself or through an errgroup.
func concurrent(s source) bool {
	if slices.Contains(s.imports(), "golang.org/x/sync/errgroup") {
		return true
	}
	found := false
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		_, starts := n.(*ast.GoStmt)
		found = found || starts
		return !found
	})
	return found
}

// raced are the folders that make race runs, as the Makefile names them.
func raced(t *testing.T) []string {
	t.Helper()
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^RACE \?= (.+)$`).FindSubmatch(makefile)
	if line == nil {
		t.Fatal("the Makefile has no line RACE ?= …")
	}
	var folders []string
	for pattern := range strings.FieldsSeq(string(line[1])) {
		folders = append(folders, strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/..."))
	}
	return folders
}

// TestConcurrentPackagesAreRaced wants the race detector on every package that starts goroutines, in its tests too. What is below test/
// starts processes of its own programs, which are built without it.
func TestConcurrentPackagesAreRaced(t *testing.T) {
	folders := raced(t)
	for _, s := range parsed(t, func(string) bool { return true }) {
		covered := slices.ContainsFunc(folders, func(folder string) bool { return s.pkg == folder || strings.HasPrefix(s.pkg, folder+"/") })
		if concurrent(s) && !covered && !strings.HasPrefix(s.pkg, "test/") {
			t.Errorf("%s starts a goroutine, and make race does not run %s: add it to RACE in the Makefile", s.name, s.pkg)
		}
	}
}

func TestConcurrent(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"none", "package x\n\nfunc f() {}\n", false},
		{"go statement", "package x\n\nfunc f() { go f() }\n", true},
		{"errgroup", "package x\n\nimport \"golang.org/x/sync/errgroup\"\n\nvar _ errgroup.Group\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := concurrent(parse(t, "x", tt.text)); got != tt.want {
				t.Errorf("concurrent: %t, want %t", got, tt.want)
			}
		})
	}
}
