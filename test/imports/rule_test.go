// SPDX-License-Identifier: Apache-2.0

package imports_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layer is a package, with the packages below it unless they are layers of
// their own, and what of this project it may import directly.
type layer struct {
	pkg  string
	may  []string
	pure bool
}

// layers is the import rule. Everything else of the product is not there yet:
// a new package needs a line.
func layers() []layer {
	decisions := []string{"mesh", "mesh/rawjson", "mesh/policy", "mesh/companion", "mutate", "validate"}
	edges := append(slices.Clone(decisions), "webhook", "controller")
	return []layer{
		{pkg: "mesh", may: []string{"mesh/rawjson"}, pure: true},
		{pkg: "mesh/rawjson", pure: true},
		{pkg: "mesh/policy", may: []string{"mesh"}, pure: true},
		{pkg: "mesh/companion", may: []string{"mesh"}, pure: true},
		{pkg: "mutate", may: []string{"mesh", "mesh/rawjson"}, pure: true},
		{pkg: "validate", may: []string{"mesh", "mesh/rawjson", "mesh/policy", "mesh/companion"}, pure: true},
		{pkg: "webhook", may: decisions},
		{pkg: "controller", may: decisions},
		// deploy holds the manifests as data, for the CLI to write.
		{pkg: "deploy", pure: true},
		{pkg: "cmd", may: append(slices.Clone(edges), "deploy")},
	}
}

// outside are folders whose packages serve tests, development and users: they
// may import everything, and nothing of the product may import them.
func outside() []string { return []string{"hack", "test", "examples", "docs"} }

// impureImports are what a pure package may not import: clients, servers,
// loggers, the environment. A path stands for everything below it too.
func impureImports() []string {
	return []string{
		"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "net/http", "net/http/httptest",
		"log", "log/slog", "github.com/go-logr/logr", "k8s.io/klog", "k8s.io/klog/v2", "go.uber.org/zap",
		"os", "os/exec", "flag", "syscall", "math/rand", "math/rand/v2", "crypto/rand",
	}
}

// impureCalls are functions of packages that a pure package may import for its
// types: they read a clock.
func impureCalls() map[string][]string {
	return map[string][]string{
		"time":                                 {"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"},
		"k8s.io/apimachinery/pkg/apis/meta/v1": {"Now", "NowMicro"},
	}
}

// covers tells whether path is base or below it.
func covers(base, path string) bool {
	return path == base || strings.HasPrefix(path, base+"/")
}

// layerOf returns the layer with the longest matching path.
func layerOf(pkg string) (layer, bool) {
	var best layer
	for _, l := range layers() {
		if covers(l.pkg, pkg) && len(l.pkg) > len(best.pkg) {
			best = l
		}
	}
	return best, best.pkg != ""
}

// faults returns what is wrong with a file's imports and calls, one line each.
func faults(s source) []string {
	if slices.ContainsFunc(outside(), func(folder string) bool { return covers(folder, s.pkg) }) {
		return nil
	}
	own, known := layerOf(s.pkg)
	if !known {
		return []string{fmt.Sprintf("%s: package %s has no place in the import rule", s.name, s.pkg)}
	}
	var found []string
	for _, imported := range s.imports() {
		if ours, ok := strings.CutPrefix(imported, modulePrefix); ok && !own.mayImport(ours) {
			found = append(found, fmt.Sprintf("%s: %s may not import %s", s.name, own.pkg, ours))
		}
		if own.pure && slices.ContainsFunc(impureImports(), func(path string) bool { return covers(path, imported) }) {
			found = append(found, fmt.Sprintf("%s: %s is pure and may not import %s", s.name, own.pkg, imported))
		}
	}
	if own.pure {
		found = append(found, clockCalls(s)...)
	}
	return found
}

// mayImport allows the layer's own packages and those of the layers it names.
func (l layer) mayImport(pkg string) bool {
	target, known := layerOf(pkg)
	return known && (target.pkg == l.pkg || slices.Contains(l.may, target.pkg))
}

// clockCalls finds uses of impureCalls, under whatever name their package is imported.
func clockCalls(s source) []string {
	names := map[string][]string{}
	for _, spec := range s.syntax.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if calls, ok := impureCalls()[path]; ok {
			names[name] = calls
		}
	}
	var found []string
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(names[of.Name], selector.Sel.Name) {
			found = append(found, fmt.Sprintf("%s: pure code may not use %s.%s", s.at(selector), of.Name, selector.Sel.Name))
		}
		return true
	})
	return found
}

func TestImportRule(t *testing.T) {
	for _, s := range sources(t) {
		for _, fault := range faults(s) {
			t.Error(fault)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name, pkg, text string
		want            []string
	}{
		{name: "validate may use policy", pkg: "validate", text: `import _ "github.com/daprise/daprise/mesh/policy"`},
		{
			name: "mutate may not", pkg: "mutate", text: `import _ "github.com/daprise/daprise/mesh/policy"`,
			want: []string{"mutate/x.go: mutate may not import mesh/policy"},
		},
		{
			name: "no way up", pkg: "mesh", text: `import _ "github.com/daprise/daprise/webhook"`,
			want: []string{"mesh/x.go: mesh may not import webhook"},
		},
		{
			name: "the two edges are apart", pkg: "webhook/tls", text: `import _ "github.com/daprise/daprise/controller"`,
			want: []string{"webhook/x.go: webhook may not import controller"},
		},
		{
			name: "no tools in the product", pkg: "cmd/daprise", text: `import _ "github.com/daprise/daprise/test/controlplane"`,
			want: []string{"cmd/x.go: cmd may not import test/controlplane"},
		},
		{name: "tools may import anything", pkg: "hack/demo", text: `import _ "github.com/daprise/daprise/webhook"`},
		{name: "own packages", pkg: "controller/view", text: `import _ "github.com/daprise/daprise/controller"`},
		{
			name: "a package without a place", pkg: "pkg/helpers", text: ``,
			want: []string{"pkg/x.go: package pkg/helpers has no place in the import rule"},
		},
		{
			name: "no client in pure code", pkg: "mesh/companion", text: `import _ "k8s.io/client-go/kubernetes"`,
			want: []string{"mesh/x.go: mesh/companion is pure and may not import k8s.io/client-go/kubernetes"},
		},
		{name: "clients at the edge", pkg: "controller", text: `import _ "k8s.io/client-go/kubernetes"`},
		{name: "a path is not a prefix", pkg: "mesh", text: `import _ "net/httpguts"`},
		{
			name: "no clock", pkg: "mesh", text: "import clock \"time\"\nvar x = clock.Now()\nvar y clock.Duration",
			want: []string{"mesh/x.go:4: pure code may not use clock.Now"},
		},
		{name: "a method of that name", pkg: "mesh", text: "type time struct{}\nfunc (time) Now() {}\nvar x = func(time time) { time.Now() }"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := parse(t, test.pkg, "package x\n\n"+test.text)
			s.name = strings.Split(test.pkg, "/")[0] + "/x.go"
			if diff := cmp.Diff(test.want, faults(s)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
