// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/daprise/daprise/test/controlplane/parts"
)

// Names of the programs, as keys of what Programs and Own return.
const (
	Daprd     = "daprd"
	Sentry    = "sentry"
	Operator  = "operator"
	Placement = "placement"
	Scheduler = "scheduler"
	Traefik   = "traefik"
	CoreDNS   = "coredns"
	KubeProxy = "kube-proxy"
	Verdicts  = "verdicts"
	Daprise   = "daprise-webhook"
	Whoami    = "whoami"
	Echo      = "echo"
	Calls     = "calls"
	Gatewayd  = "gatewayd"
)

// dapr is one of Dapr's programs.
func dapr(root, name string) parts.Extra {
	return parts.Extra{
		Module: daprModule, Files: []string{"tools.go"}, Package: "github.com/dapr/dapr/cmd/" + name, Name: name,
		Prepare:  func(ctx context.Context, _ io.Writer) error { return daprReplacements(ctx, root) },
		Prepared: componentsSource,
	}
}

func extra(root, name string) (parts.Extra, error) {
	switch name {
	case Daprd, Sentry, Operator, Placement, Scheduler:
		return dapr(root, name), nil
	case CoreDNS:
		return parts.Extra{Module: "hack/datapath/coredns", Files: []string{"main.go"}, Package: ".", Name: name}, nil
	case KubeProxy:
		return parts.Extra{
			Module: "hack/controlplane", Files: []string{"tools.go"}, Package: "k8s.io/kubernetes/cmd/kube-proxy", Name: name,
		}, nil
	case Traefik:
		return parts.Extra{
			Module: traefikModule, Files: []string{"tools.go"}, Package: "github.com/traefik/traefik/v3/cmd/traefik", Name: name,
			Prepare:  func(ctx context.Context, _ io.Writer) error { return traefikReplacements(ctx, root) },
			Prepared: extSource + dnsSource,
		}, nil
	default:
		return parts.Extra{}, fmt.Errorf("build %q: no such program", name)
	}
}

// Others are the programs of others that a world is made of, beside the control plane.
func Others() []string { return []string{Sentry, Operator, Daprd, KubeProxy, CoreDNS, Traefik} }

// Programs builds the named programs of others and returns their paths by
// name. Cold, all of them together take some twenty minutes on two cores; log
// gets a line every 15 seconds.
func Programs(ctx context.Context, root string, log io.Writer, names ...string) (map[string]string, error) {
	var extras []parts.Extra
	for _, name := range names {
		one, err := extra(root, name)
		if err != nil {
			return nil, err
		}
		extras = append(extras, one)
	}
	return parts.BuildExtra(ctx, root, extras, log)
}

// own is a program of this project: the folder of its module, and its package there.
type own struct{ module, pkg string }

func ownPrograms() map[string]own {
	return map[string]own{
		Daprise:  {".", "./cmd/daprise-webhook"},
		Whoami:   {".", "./examples/whoami/whoami"},
		Echo:     {".", "./test/datapath/echo"},
		Calls:    {".", "./test/datapath/calls"},
		Gatewayd: {".", "./test/datapath/gatewayd"},
		Verdicts: {"hack/datapath/verdicts", "."},
	}
}

// Own builds the project's own programs into dir, daprise-webhook, the apps of the tests and Cilium's engine: statically, since they run
// in a root of their own, and with the flags of `make test`, so that what the tests have compiled is used again.
func Own(ctx context.Context, root, dir string) (map[string]string, error) {
	paths := map[string]string{}
	for name, program := range ownPrograms() {
		path := filepath.Join(dir, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", path, program.pkg)
		cmd.Dir = filepath.Join(root, program.module)
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		paths[name] = path
	}
	return paths, nil
}
