// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	namespace   = "default"
	enrolLimit  = 4 * time.Minute
	annotate    = "daprise.dev/enabled=true"
	ingressName = "ingress-dapr"
	appName     = "whoami-dapr"
)

// enrol does what a platform team and a developer do: install the example,
// install daprise, annotate the Gateway and the Service. Nothing else is configured.
func enrol(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, enrolLimit)
	defer cancel()
	if _, err := shared.Kubectl(ctx, "apply", "-k", filepath.Join(shared.Root(), "examples", "whoami")); err != nil {
		return fmt.Errorf("apply examples/whoami: %w", err)
	}
	for _, version := range []string{"whoami-v1", "whoami-v2"} {
		if err := shared.WaitDeployment(ctx, client.ObjectKey{Namespace: namespace, Name: version}); err != nil {
			return err
		}
	}
	if err := shared.Eventually(ctx, "the app answers without Dapr", answersDirectly); err != nil {
		return err
	}
	if err := shared.InstallDaprise(ctx); err != nil {
		return err
	}
	for _, enrolled := range [][2]string{{"gateway", "default-gateway"}, {"service", "whoami"}} {
		if err := annotated(ctx, enrolled[0], enrolled[1], annotate); err != nil {
			return err
		}
	}
	err := errors.Join(
		shared.WaitDaemonSet(ctx, client.ObjectKey{Namespace: namespace, Name: ingressName}),
		shared.WaitDeployment(ctx, client.ObjectKey{Namespace: namespace, Name: appName}),
	)
	if err != nil {
		return err
	}
	if err := shared.Eventually(ctx, "the route is rewritten", routeIsRewritten); err != nil {
		return err
	}
	return shared.Eventually(ctx, "the gateway follows the rewritten route", answersThroughCompanions)
}

// annotated does what a user does whom a busy daprise told to come back: an
// admission that finds no time is an error of ours (500), not a refusal.
func annotated(ctx context.Context, kind, name, annotation string) error {
	return shared.Eventually(ctx, "annotate "+kind+" "+name, func(ctx context.Context) error {
		_, err := shared.Kubectl(ctx, "annotate", "--overwrite", kind, name, annotation)
		return err
	})
}

// applied applies a manifest on the same terms.
func applied(ctx context.Context, manifest []byte) error {
	return shared.Eventually(ctx, "apply a manifest", func(ctx context.Context) error {
		_, err := shared.KubectlIn(ctx, manifest, "apply", "-f", "-")
		return err
	})
}

// appliedFile applies a manifest of testdata.
func appliedFile(ctx context.Context, name string) error {
	manifest, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		return err
	}
	return applied(ctx, manifest)
}

func routeIsRewritten(ctx context.Context) error {
	return routeLeadsTo(ctx, "whoami-route", ingressName)
}

func answersDirectly(ctx context.Context) error {
	answer, err := ask(ctx, request{path: "/"})
	if err != nil {
		return err
	}
	if answer.status != 200 || answer.header.Get(callerHeader) != "" {
		return fmt.Errorf("want the app alone, got %s", answer)
	}
	return nil
}

func answersThroughCompanions(ctx context.Context) error {
	answer, err := ask(ctx, request{path: "/"})
	if err != nil {
		return err
	}
	if answer.status != 200 || answer.header.Get(callerHeader) == "" {
		return fmt.Errorf("want an answer through companions, got %s", answer)
	}
	return nil
}
