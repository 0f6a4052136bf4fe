// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestAnnotationsPage: docs/annotations.md has a row or a sentence for every annotation of keys.go, and names no key that does not exist.
func TestAnnotationsPage(t *testing.T) {
	data, err := os.ReadFile("../docs/annotations.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	known := map[string]bool{"app-id": true} // the label
	for _, name := range annotationNames(t) {
		known[name] = true
		if !strings.Contains(page, "daprise.dev/"+name+"`") && !strings.Contains(page, "dapr.io/"+name+"`") {
			t.Errorf("docs/annotations.md says nothing of %s", name)
		}
	}
	for _, part := range strings.Split(page, "daprise.dev/")[1:] {
		name := part[:strings.IndexFunc(part+" ", func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })]
		if name = strings.TrimSuffix(name, "-"); name != "" && !known[name] {
			t.Errorf("docs/annotations.md names daprise.dev/%s, which is no key", name)
		}
	}
}

// annotationNames are the constants named Annotation… of keys.go, without their prefix.
func annotationNames(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Annotation") {
			return true
		}
		if sum, ok := spec.Values[0].(*ast.BinaryExpr); ok {
			if literal, ok := sum.Y.(*ast.BasicLit); ok {
				names = append(names, strings.Trim(literal.Value, `"`))
			}
		}
		return true
	})
	if len(names) < 14 {
		t.Fatalf("only %q found in keys.go", names)
	}
	return names
}
