// SPDX-License-Identifier: Apache-2.0

// Command flux does with objects what Flux's kustomize-controller does, by that controller's own engine (github.com/fluxcd/pkg/ssa), with
// YAML on its standard input and KUBECONFIG as the way to the API server:
//
//	flux apply   applies them, staged as Flux does, and prints what became of each
//	flux diff    changes nothing and prints what applying them would change
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// A Kustomization of this name: its labels are on everything that it applies.
const (
	name      = "apps"
	namespace = "flux-system"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "flux:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: flux apply|diff < FILE")

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	log.SetLogger(logr.Discard())
	objects, err := utils.ReadObjects(in)
	if err != nil {
		return fmt.Errorf("read objects: %w", err)
	}
	manager, err := newManager()
	if err != nil {
		return err
	}
	manager.SetOwnerLabels(objects, name, namespace)
	switch {
	case len(args) == 1 && args[0] == "apply":
		return apply(ctx, manager, objects, out)
	case len(args) == 1 && args[0] == "diff":
		return diff(ctx, manager, objects, out)
	default:
		return errUsage
	}
}

// newManager is the engine with the field manager of kustomize-controller.
func newManager() (*ssa.ResourceManager, error) {
	server, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	c, err := client.New(server, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	poller := polling.NewStatusPoller(c, c.RESTMapper(), polling.Options{})
	return ssa.NewResourceManager(c, poller, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}), nil
}

func apply(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured, out io.Writer) error {
	set, err := manager.ApplyAllStaged(ctx, objects, ssa.DefaultApplyOptions())
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	for _, entry := range set.Entries {
		if _, err := fmt.Fprintln(out, entry.Action, entry.Subject); err != nil {
			return err
		}
	}
	return nil
}

func diff(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured, out io.Writer) error {
	for _, object := range objects {
		entry, _, _, err := manager.Diff(ctx, object, ssa.DefaultDiffOptions())
		if err != nil {
			return fmt.Errorf("diff: %w", err)
		}
		if _, err := fmt.Fprintln(out, entry.Action, entry.Subject); err != nil {
			return err
		}
	}
	return nil
}
