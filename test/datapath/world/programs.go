// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/test/datapath/build"
	"github.com/daprise/daprise/test/datapath/kubelet"
)

// ownEnv names the folder of the project's own programs.
const ownEnv = "DAPRISE_TEST_PROGRAMS"

// Prepare builds everything that a world is made of, in a process that has a
// network, and returns the environment that tells Start of it. The caller
// removes the folder of the project's own programs with the function returned.
func Prepare(ctx context.Context, log io.Writer) (env []string, remove func() error, err error) {
	root, err := parts.Root()
	if err != nil {
		return nil, nil, err
	}
	if err := InstallTools(ctx, log); err != nil {
		return nil, nil, err
	}
	if _, err := parts.Build(ctx, root, log); err != nil {
		return nil, nil, err
	}
	if _, err := parts.FindModules(ctx, root, log); err != nil {
		return nil, nil, err
	}
	if _, err := build.Programs(ctx, root, log, build.Others()...); err != nil {
		return nil, nil, err
	}
	folder := filepath.Join(root, ".cache", "datapath")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, nil, err
	}
	own, err := os.MkdirTemp(folder, "own-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() error { return os.RemoveAll(own) }
	if _, err := build.Own(ctx, root, own); err != nil {
		_ = remove() // the build's error is the one to tell
		return nil, nil, err
	}
	return []string{ownEnv + "=" + own}, remove, nil
}

// images are the programs as the container images that manifests name.
func images(programs map[string]string) map[string]kubelet.Image {
	nonroot := func(program, path string, entrypoint ...string) kubelet.Image {
		return kubelet.Image{Files: map[string]string{path: programs[program]}, Entrypoint: entrypoint, User: 65532}
	}
	return map[string]kubelet.Image{
		// Dapr's images name no entrypoint.
		"ghcr.io/dapr/daprd":              nonroot(build.Daprd, "/daprd"),
		"ghcr.io/dapr/sentry":             nonroot(build.Sentry, "/sentry"),
		"ghcr.io/dapr/operator":           nonroot(build.Operator, "/operator"),
		"coredns/coredns":                 nonroot(build.CoreDNS, "/coredns", "/coredns"),
		"traefik":                         nonroot(build.Traefik, "/traefik", "/traefik"),
		"traefik/whoami":                  nonroot(build.Whoami, "/whoami", "/whoami"),
		"daprise/echo":                    nonroot(build.Echo, "/echo", "/echo"),
		"daprise/calls":                   nonroot(build.Calls, "/calls", "/calls"),
		"daprise/gatewayd":                nonroot(build.Gatewayd, "/gatewayd", "/gatewayd"),
		"ghcr.io/daprise/daprise-webhook": nonroot(build.Daprise, "/daprise-webhook", "/daprise-webhook"),
	}
}

// findPrograms returns what Prepare built; nothing is built here.
func findPrograms(ctx context.Context, root string) (map[string]string, error) {
	programs, err := build.Programs(ctx, root, io.Discard, build.Others()...)
	if err != nil {
		return nil, err
	}
	for _, own := range []string{build.Daprise, build.Whoami, build.Echo, build.Calls, build.Gatewayd, build.Verdicts} {
		programs[own] = filepath.Join(os.Getenv(ownEnv), own)
	}
	return programs, nil
}
