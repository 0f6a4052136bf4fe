// SPDX-License-Identifier: Apache-2.0

package imports_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/controlplane/parts"
)

const modulePrefix = "github.com/daprise/daprise/"

// source is one Go file of the main module that is not generated.
type source struct {
	pkg    string // import path without the module's, for example mesh/policy
	name   string // path from the root, for messages
	fset   *token.FileSet
	syntax *ast.File
}

// sources parses the main module but its tests: folders with a go.mod of their own are
// other modules.
func sources(t *testing.T) []source {
	t.Helper()
	return parsed(t, func(file string) bool { return !strings.HasSuffix(file, "_test.go") })
}

// parsed parses those Go files of the main module that wanted takes.
func parsed(t *testing.T, wanted func(file string) bool) []source {
	t.Helper()
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	var found []source
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(root, file)
		}
		if !strings.HasSuffix(file, ".go") || !wanted(file) {
			return nil
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !ast.IsGenerated(syntax) {
			name, _ := filepath.Rel(root, file) // file is below root
			name = filepath.ToSlash(name)
			found = append(found, source{pkg: path.Dir(name), name: name, fset: fset, syntax: syntax})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no Go file below %s", root)
	}
	return found
}

func skipFolder(root, dir string) error {
	base := filepath.Base(dir)
	if dir == root {
		return nil
	}
	if strings.HasPrefix(base, ".") || base == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// imports lists the file's direct imports by path.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil { // the parser accepted it
			paths = append(paths, p)
		}
	}
	return paths
}

// at is the position of a node, for messages.
func (s source) at(node ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.fset.Position(node.Pos()).Line)
}

// parse makes a source of text, for the tests of these tests.
func parse(t *testing.T, pkg, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, "x.go", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{pkg: pkg, name: pkg + "/x.go", fset: fset, syntax: syntax}
}
