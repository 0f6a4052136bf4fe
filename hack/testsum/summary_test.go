// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSummary feeds what the go command really prints for small packages.
func TestSummary(t *testing.T) {
	for _, test := range []struct {
		name, test string
		wantOK     bool
		want       string
	}{
		{
			name: "all pass", wantOK: true,
			test: `func TestA(t *testing.T) { t.Run("one", func(t *testing.T) {}); t.Log("not shown") }`,
			want: "ok    example.com/x  S s\n2 passed, 0 failed, 0 skipped\n",
		},
		{
			name: "one fails in a subtest, one is skipped",
			test: `func TestA(t *testing.T) { t.Run("one", func(t *testing.T) { t.Log("some"); t.Error("wrong") }) }
func TestB(t *testing.T) { t.Skip("no") }
func TestC(t *testing.T) { t.Log("not shown") }`,
			want: `FAIL  example.com/x  S s
=== RUN   TestA/one
    x_test.go:3: some
    x_test.go:3: wrong
--- FAIL: TestA/one (S s)
=== RUN   TestA
--- FAIL: TestA (S s)
FAIL
FAIL	example.com/x	S s
failed: example.com/x TestA/one
failed: example.com/x TestA
1 passed, 2 failed, 1 skipped
`,
		},
		{
			name: "does not compile",
			test: `func TestA(t *testing.T) { undefined() }`,
			want: `FAIL  example.com/x  S s
# example.com/x [example.com/x.test]
./x_test.go:3:28: undefined: undefined
FAIL	example.com/x [build failed]
failed: example.com/x
0 passed, 1 failed, 0 skipped
`,
		},
		{
			name: "ends in the middle of a test",
			test: `import "os"
func TestA(t *testing.T) { println("about to end"); os.Exit(3) }`,
			want: `FAIL  example.com/x  S s
FAIL	example.com/x	S s
=== RUN   TestA
about to end
failed: example.com/x
0 passed, 1 failed, 0 skipped
`,
		},
		{
			name: "no test at all",
			test: ``,
			want: "ok    example.com/x  S s\nno test ran\n0 passed, 0 failed, 0 skipped\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			sum := newSummary(&out)
			if err := sum.read(strings.NewReader(goTest(t, test.test))); err != nil {
				t.Fatal(err)
			}
			if ok := sum.finish(); ok != test.wantOK {
				t.Errorf("ok is %t, want %t", ok, test.wantOK)
			}
			got := regexp.MustCompile(`\d+\.\d+ ?s`).ReplaceAllString(out.String(), "S s")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// goTest returns go test -json of a package with that test.
func goTest(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	text = "package x\nimport \"testing\"\n" + text + "\nvar _ testing.TB\n"
	for name, content := range map[string]string{"go.mod": "module example.com/x\n\ngo 1.26.0\n", "x_test.go": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

func TestInputThatBreaksOff(t *testing.T) {
	var out strings.Builder
	sum := newSummary(&out)
	err := sum.read(strings.NewReader("go: something is wrong\n" + `{"Action":"start","Package":"a"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if sum.finish() {
		t.Error("ok, want a failure: the package has no result")
	}
	const want = "go: something is wrong\nfailed: a (no result)\n0 passed, 1 failed, 0 skipped\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
