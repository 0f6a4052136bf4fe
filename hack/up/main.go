// SPDX-License-Identifier: Apache-2.0

// Command up runs a real Kubernetes control plane for people: the one the tests
// use, with two nodes and the CRDs of Gateway API, Cilium and Dapr.
//
//	go run ./hack/up               until Ctrl-C
//	go run ./hack/up -detach       until go run ./hack/up -down
//	go run ./hack/up -build-only   only builds the programs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], streams{out: os.Stdout, log: os.Stderr})
	cancel()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

type streams struct{ out, log io.Writer }

type settings struct {
	action string
	dir    string
	port   int
	nodes  int
	crds   string
}

const (
	actionRun    = "run"
	actionBuild  = "build-only"
	actionDetach = "detach"
	actionDown   = "down"
)

var errOneAction = errors.New("give at most one of -build-only, -detach and -down")

func parse(args []string, log io.Writer) (settings, error) {
	s := settings{action: actionRun}
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&s.dir, "dir", "", "folder of data, logs and the kubeconfig, kept afterwards (with -detach and -down: .cache/controlplane/up)")
	flags.IntVar(&s.port, "port", 0, "port of the API server on 127.0.0.1 (0: any free one)")
	flags.IntVar(&s.nodes, "nodes", 2, "number of nodes")
	flags.StringVar(&s.crds, "crds", joinSets(controlplane.DefaultCRDs()), "CRDs to install, comma separated; also gateway-api/experimental, cert-manager, prometheus-operator; empty for none")
	actions := map[string]*bool{
		actionBuild:  flags.Bool(actionBuild, false, "build the programs and end"),
		actionDetach: flags.Bool(actionDetach, false, "leave it running in the background"),
		actionDown:   flags.Bool(actionDown, false, "stop what -detach left running"),
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	for action, given := range actions {
		if !*given {
			continue
		}
		if s.action != actionRun {
			return s, errOneAction
		}
		s.action = action
	}
	return s, nil
}

func run(ctx context.Context, args []string, to streams) error {
	s, err := parse(args, to.log)
	if err != nil {
		return err
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	if s.dir == "" && (s.action == actionDetach || s.action == actionDown) {
		s.dir = filepath.Join(parts.CacheDir(root), "up")
	}
	switch s.action {
	case actionBuild:
		return build(ctx, root, to.log)
	case actionDown:
		return controlplane.StopDir(s.dir)
	default:
		return start(ctx, s, to)
	}
}

func build(ctx context.Context, root string, log io.Writer) error {
	if _, err := parts.Build(ctx, root, log); err != nil {
		return err
	}
	_, err := parts.FindModules(ctx, root, log)
	return err
}

func start(ctx context.Context, s settings, to streams) error {
	options := controlplane.Options{
		CRDs:  splitSets(s.crds),
		Nodes: s.nodes,
		Dir:   s.dir,
		Port:  s.port,
		Slots: controlplane.Unlimited,
		Log:   to.log,
	}
	if s.action == actionDetach {
		options.Lifetime = controlplane.Detached
	}
	cp, err := controlplane.Start(ctx, options)
	if err != nil {
		return err
	}
	howToReach(to.out, cp)
	if s.action == actionDetach {
		_, _ = fmt.Fprintf(to.out, "Stop it with:\n\n    go run ./hack/up -down -dir %s\n", s.dir)
		return nil
	}
	_, _ = fmt.Fprintln(to.out, "Ctrl-C stops it and leaves nothing behind.")
	<-ctx.Done()
	return cp.Stop()
}

func howToReach(out io.Writer, cp *controlplane.ControlPlane) {
	_, _ = fmt.Fprintf(out, `
Kubernetes is up at %s. Reach it with:

    export KUBECONFIG=%s
    alias kubectl=%s
    kubectl get nodes

Logs are in %s. Pods run nowhere: kwok reports them Ready.
`, cp.URL(), cp.Kubeconfig(), cp.KubectlPath(), cp.Dir())
}

func joinSets(sets []controlplane.CRDSet) string {
	var names []string
	for _, set := range sets {
		names = append(names, string(set))
	}
	return strings.Join(names, ",")
}

// splitSets returns an empty slice, not nil, for no sets: nil stands for the default.
func splitSets(list string) []controlplane.CRDSet {
	sets := []controlplane.CRDSet{}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			sets = append(sets, controlplane.CRDSet(name))
		}
	}
	return sets
}
