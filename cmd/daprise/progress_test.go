// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"testing"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := progress{&out}
	p.tell("reading %s", "a.yaml")
	p.tell("judging %d objects", 7)
	p.end()
	if want := "\r\x1b[Kreading a.yaml\r\x1b[Kjudging 7 objects\r\x1b[K"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
	out.Reset()
	quiet := progressOn(&out)
	quiet.tell("reading")
	quiet.end()
	if out.Len() > 0 {
		t.Errorf("told %q where there is no terminal", out.String())
	}
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if progressOn(file).out != nil {
		t.Error("a file counts as a terminal")
	}
}
