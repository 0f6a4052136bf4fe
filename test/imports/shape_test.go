// SPDX-License-Identifier: Apache-2.0

package imports_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	functionLines = 60
	fileLines     = 400
	parameters    = 4
	licence       = "// SPDX-License-Identifier: Apache-2.0"
)

// misshapen returns what is too long, too wide or not to be in a file.
func misshapen(s source) []string {
	var found []string
	if lines := s.line(s.syntax.FileEnd); lines > fileLines {
		found = append(found, fmt.Sprintf("%s: %d lines, at most %d", s.name, lines, fileLines))
	}
	if len(s.syntax.Comments) == 0 || s.syntax.Comments[0].List[0].Text != licence {
		found = append(found, fmt.Sprintf("%s: does not start with %s", s.name, licence))
	}
	for _, declaration := range s.syntax.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			found = append(found, s.function(d)...)
		case *ast.GenDecl:
			found = append(found, s.variables(d)...)
		}
	}
	return found
}

func (s source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

func (s source) function(d *ast.FuncDecl) []string {
	var found []string
	if d.Name.Name == "init" && d.Recv == nil {
		found = append(found, s.at(d)+": init()")
	}
	if d.Body != nil {
		if lines := s.line(d.Body.Rbrace) - s.line(d.Body.Lbrace) - 1; lines > functionLines {
			found = append(found, fmt.Sprintf("%s: %s has %d lines, at most %d", s.at(d), d.Name.Name, lines, functionLines))
		}
	}
	if count := d.Type.Params.NumFields(); count > parameters {
		found = append(found, fmt.Sprintf("%s: %s has %d parameters, at most %d", s.at(d), d.Name.Name, count, parameters))
	}
	for _, field := range d.Type.Params.List {
		if kind, ok := field.Type.(*ast.Ident); ok && kind.Name == "bool" {
			found = append(found, fmt.Sprintf("%s: %s has a bool parameter", s.at(d), d.Name.Name))
		}
	}
	return found
}

// variables allows errors, embedded files, what the linker sets, and checks
// that a type implements an interface.
func (s source) variables(d *ast.GenDecl) []string {
	if d.Tok != token.VAR {
		return nil
	}
	var found []string
	for _, spec := range d.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || strings.Contains(docOf(d, value), "//go:embed") {
			continue
		}
		for _, name := range value.Names {
			lower := strings.ToLower(name.Name)
			if name.Name != "_" && lower != "version" && !strings.HasPrefix(lower, "err") {
				found = append(found, fmt.Sprintf("%s: package-level variable %s", s.at(name), name.Name))
			}
		}
	}
	return found
}

// docOf is the comments with the directives that CommentGroup.Text leaves out.
func docOf(d *ast.GenDecl, value *ast.ValueSpec) string {
	var text strings.Builder
	for _, group := range []*ast.CommentGroup{d.Doc, value.Doc} {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			text.WriteString(comment.Text + "\n")
		}
	}
	return text.String()
}

func TestShape(t *testing.T) {
	for _, s := range sources(t) {
		for _, fault := range misshapen(s) {
			t.Error(fault)
		}
	}
}

func TestMisshapen(t *testing.T) {
	body := func(lines int) string { return "func f() {\n" + strings.Repeat("\t_ = 1\n", lines) + "}\n" }
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{name: "60 lines", text: body(60)},
		{name: "61 lines", text: body(61), want: []string{"mesh/x.go:5: f has 61 lines, at most 60"}},
		{name: "400 lines of file", text: strings.Repeat("\n", 396)},
		{name: "401 lines of file", text: strings.Repeat("\n", 397), want: []string{"mesh/x.go: 401 lines, at most 400"}},
		{name: "init", text: "func init() {}\n", want: []string{"mesh/x.go:5: init()"}},
		{name: "a method named init", text: "type x int\nfunc (x) init() {}\n"},
		{name: "4 parameters", text: "func f(a, b int, c, d string) {}\n"},
		{name: "5 parameters", text: "func f(a, b int, c, d, e string) {}\n", want: []string{"mesh/x.go:5: f has 5 parameters, at most 4"}},
		{name: "bool parameter", text: "func f(a bool) bool { return a }\n", want: []string{"mesh/x.go:5: f has a bool parameter"}},
		{name: "variable", text: "var table = 1\n", want: []string{"mesh/x.go:5: package-level variable table"}},
		{name: "allowed variables", text: "var errX = 1\nvar ErrY = 2\nvar _ int = 3\n\n//go:embed x\nvar files string\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := parse(t, "mesh", licence+"\n\npackage x\n\n"+test.text)
			if diff := cmp.Diff(test.want, misshapen(s)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("no licence", func(t *testing.T) {
		want := []string{"mesh/x.go: does not start with " + licence}
		if diff := cmp.Diff(want, misshapen(parse(t, "mesh", "package x\n"))); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}
