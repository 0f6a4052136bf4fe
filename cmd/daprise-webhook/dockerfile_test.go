// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDockerfile: the image is built by the Makefile's own command with the Go of go.mod, from bases that are pinned by digest, holds nothing
// but the server and the licence, and runs as nobody in particular.
func TestDockerfile(t *testing.T) {
	stages := dockerStages(t)
	if len(stages) != 2 {
		t.Fatalf("%d stages, want one that builds and one that runs", len(stages))
	}
	build, final := stages[0], stages[1]
	// Git's folder is no part of what is copied, so the version has to be told; that of a platform's programs is a matter of Go alone.
	if !slices.Contains(build["RUN"], "GOFLAGS=-trimpath GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION=$VERSION") {
		t.Errorf("the server is built by %q, not by make build", build["RUN"])
	}
	if want := []string{"TARGETOS TARGETARCH VERSION=unknown"}; !slices.Equal(build["ARG"], want) {
		t.Errorf("ARG %q, want %q", build["ARG"], want)
	}
	if tag, want := pinned(t, build["FROM"][0]), "golang:"+toolchain(t)+"-bookworm"; tag != want {
		t.Errorf("built from %s, go.mod wants %s", tag, want)
	}
	if len(final["RUN"]) > 0 {
		t.Errorf("the image that runs has a shell to run %q", final["RUN"])
	}
	if tag := pinned(t, final["FROM"][0]); tag != "gcr.io/distroless/static-debian12:nonroot" {
		t.Errorf("runs on %s", tag)
	}
	uid, _, _ := strings.Cut(strings.Join(final["USER"], " "), ":")
	if n, err := strconv.Atoi(uid); err != nil || n == 0 {
		t.Errorf("runs as %q: want a number other than 0, which runAsNonRoot can check", final["USER"])
	}
	if want := []string{`["/daprise-webhook"]`}; !slices.Equal(final["ENTRYPOINT"], want) {
		t.Errorf("ENTRYPOINT %q, want %q", final["ENTRYPOINT"], want)
	}
	s, err := parse([]string{"--config=c"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var ports []string
	for _, port := range []int{s.webhookPort, s.metricsPort, s.healthPort} {
		ports = append(ports, strconv.Itoa(port))
	}
	if exposed := strings.Fields(strings.Join(final["EXPOSE"], " ")); !slices.Equal(exposed, ports) {
		t.Errorf("EXPOSE %v, the server's ports are %v", exposed, ports)
	}
	for _, copied := range final["COPY"] {
		if !strings.HasPrefix(copied, "--from=build /src/bin/daprise-webhook ") && !strings.HasPrefix(copied, "--from=build /src/LICENSE ") {
			t.Errorf("the image also holds %s", copied)
		}
	}
}

// dockerStages are the instructions of the Dockerfile, by stage and name.
func dockerStages(t *testing.T) []map[string][]string {
	t.Helper()
	data, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var stages []map[string][]string
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		if name == "FROM" {
			stages = append(stages, map[string][]string{})
		}
		if len(stages) == 0 {
			t.Fatalf("%q before FROM", line)
		}
		stages[len(stages)-1][name] = append(stages[len(stages)-1][name], rest)
	}
	return stages
}

// pinned is the tag of a base image, which must have a digest beside it.
func pinned(t *testing.T, from string) string {
	t.Helper()
	words := slices.DeleteFunc(strings.Fields(from), func(word string) bool { return strings.HasPrefix(word, "--") })
	image := words[0]
	tag, digest, _ := strings.Cut(image, "@")
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(digest) {
		t.Errorf("%s is not pinned by a digest", image)
	}
	return tag
}

// toolchain is the version of Go that go.mod asks for.
func toolchain(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "toolchain go"); ok {
			return version
		}
	}
	t.Fatal("go.mod names no toolchain")
	return ""
}
