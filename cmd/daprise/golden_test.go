// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens")

// TestGolden runs a command line for each folder of testdata: "args", one argument a line, with the folder as working directory, "stdin",
// if it is there; the goldens are "stdout", "stderr" and "status".
func TestGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/args")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range folders {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Chdir(folder)
			args, err := os.ReadFile("args")
			if err != nil {
				t.Fatal(err)
			}
			stdin, err := os.ReadFile("stdin")
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			status := run(context.Background(), strings.Split(strings.TrimSpace(string(args)), "\n"), streams{bytes.NewReader(stdin), &out, &errs})
			if strings.Contains(out.String()+errs.String(), here) {
				t.Error("a path of this machine is told")
			}
			for file, got := range map[string]string{"stdout": out.String(), "stderr": errs.String(), "status": strconv.Itoa(status) + "\n"} {
				checkGolden(t, file, got)
			}
		})
	}
}

// checkGolden compares a golden file, which must not exist where got is empty.
func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if got == "" {
			_ = os.Remove(path)
			return
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestInverse: uninject gives back, byte for byte, what inject was given in each case of it, but for what inject had to put between files.
func TestInverse(t *testing.T) {
	folders, err := filepath.Glob("testdata/inject*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Chdir(folder)
			args, err := os.ReadFile("args")
			if err != nil {
				t.Fatal(err)
			}
			injection := strings.Split(strings.TrimSpace(string(args)), "\n")
			plain := execute(t, append([]string{"uninject"}, injection[1:]...), "")
			there := execute(t, injection, "")
			back := execute(t, []string{"uninject", "-f", "-"}, there)
			if diff := cmp.Diff(plain, back); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := execute(t, append([]string{"inject"}, "-f", "-"), back); again != there {
				t.Errorf("inject after uninject (-want +got):\n%s", cmp.Diff(there, again))
			}
			if twice := execute(t, []string{"inject", "-f", "-"}, there); twice != there {
				t.Errorf("inject twice (-once +twice):\n%s", cmp.Diff(there, twice))
			}
		})
	}
}

func execute(t *testing.T, args []string, stdin string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(context.Background(), args, streams{strings.NewReader(stdin), &out, &errs}); status > 1 {
		t.Fatalf("%v: exit status %d: %s", args, status, errs.String())
	}
	return out.String()
}
