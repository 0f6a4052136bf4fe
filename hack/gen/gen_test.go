// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedFilesAreCommitted(t *testing.T) {
	if err := run(filepath.Join("..", ".."), refuse); err != nil {
		t.Error(err)
	}
}

func TestWritesWhatItChecks(t *testing.T) {
	root := t.TempDir()
	if err := run(root, refuse); err == nil {
		t.Error("an empty folder passed the check")
	}
	if err := run(root, replace); err != nil {
		t.Fatal(err)
	}
	if err := run(root, refuse); err != nil {
		t.Error(err)
	}
}

// TestDockerfile: the image is built by the Makefile's own command, from bases that are pinned, and runs what that command builds.
func TestDockerfile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var from, run, copied []string
	last := map[string]string{}
	for line := range strings.Lines(string(data)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		last[word] = rest
		switch word {
		case "FROM":
			from = append(from, rest)
		case "RUN":
			run = append(run, rest)
		case "COPY":
			copied = append(copied, rest)
		case "", "#", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT":
		default:
			t.Errorf("unexpected instruction %q", line)
		}
	}
	if len(from) != 2 || !strings.HasPrefix(from[0], "golang:1.26.") || !strings.HasPrefix(from[1], "gcr.io/distroless/static-debian12:nonroot") {
		t.Errorf("FROM %q", from)
	}
	if len(run) != 2 || run[1] != "GOFLAGS=-trimpath make build" {
		t.Errorf("RUN %q", run)
	}
	if !strings.Contains(strings.Join(copied, "\n"), "--from=build /src/bin/daprise-webhook /daprise-webhook") {
		t.Errorf("COPY %q", copied)
	}
	if last["USER"] != "65532:65532" || last["ENTRYPOINT"] != `["/daprise-webhook"]` {
		t.Errorf("USER %s, ENTRYPOINT %s", last["USER"], last["ENTRYPOINT"])
	}
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "-o bin/daprise-webhook ./cmd/daprise-webhook") || !strings.Contains(string(makefile), "CGO_ENABLED := 0") {
		t.Error("make build does not build a static bin/daprise-webhook")
	}
}
