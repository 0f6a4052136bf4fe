// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"fmt"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Root is the folder of the project.
func (w *World) Root() string { return w.root }

// InstallDaprise applies deploy/base as it is and returns when both replicas
// serve.
func (w *World) InstallDaprise(ctx context.Context) error {
	manifests, err := w.dapriseManifests()
	if err != nil {
		return err
	}
	if err := w.Apply(ctx, manifests); err != nil {
		return fmt.Errorf("apply deploy/base: %w", err)
	}
	return w.WaitDeployment(ctx, client.ObjectKey{Namespace: "daprise-system", Name: "daprise-webhook"})
}

// UninstallDaprise does what somebody does who removes it without a thought for
// what is enrolled.
func (w *World) UninstallDaprise(ctx context.Context) error {
	manifests, err := w.dapriseManifests()
	if err != nil {
		return err
	}
	if _, err := w.KubectlIn(ctx, manifests, "delete", "--ignore-not-found", "-f", "-"); err != nil {
		return fmt.Errorf("delete deploy/base: %w", err)
	}
	return nil
}

func (w *World) dapriseManifests() ([]byte, error) {
	base := filepath.Join(w.root, "deploy", "base")
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), base)
	if err != nil {
		return nil, fmt.Errorf("kustomize build deploy/base: %w", err)
	}
	return rendered.AsYaml()
}
