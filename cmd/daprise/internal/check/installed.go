// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// howToInstall is the hint of everything that is missing.
const howToInstall = "daprise install | kubectl apply -f -"

// serverFacts is what was read of daprise-webhook.
type serverFacts struct {
	// deployment is nil where it does not exist.
	deployment *appsv1.Deployment
	// hooked says that a webhook configuration of daprise exists.
	hooked bool
	// config says what is wrong with the config file, or is nil.
	config error
}

func installed(ctx context.Context, c *Cluster) ([]Line, error) {
	f := serverFacts{config: c.faulty}
	stored, err := c.stored(ctx)
	if err != nil {
		return nil, err
	}
	f.hooked = len(stored) > 0
	deployment := &appsv1.Deployment{}
	found, err := c.get(ctx, client.ObjectKey{Namespace: mesh.SystemNamespace, Name: mesh.WebhookService}, deployment)
	if found {
		f.deployment = deployment
	}
	return judgeInstalled(f), err
}

func judgeInstalled(f serverFacts) []Line {
	name := mesh.SystemNamespace + "/" + mesh.WebhookService
	switch {
	case f.deployment == nil && !f.hooked:
		return []Line{hinted(Skip, "not installed", howToInstall)}
	case f.deployment == nil:
		return []Line{hinted(Fail, "Deployment "+name+" does not exist, but its hooks do: what they guard cannot be written", howToInstall)}
	}
	var lines []Line
	if f.config != nil {
		lines = append(lines, hinted(Fail, f.config.Error(), "Correct the ConfigMap, then restart Deployment "+name+"."))
	}
	have, want := f.deployment.Status.AvailableReplicas, int32(1)
	if f.deployment.Spec.Replicas != nil {
		want = *f.deployment.Spec.Replicas
	}
	pods := fmt.Sprintf("%d of %d pods are available", have, want)
	hint := fmt.Sprintf("kubectl logs -n %s deployment/%s", mesh.SystemNamespace, mesh.WebhookService)
	switch {
	case have == 0:
		return append(lines, hinted(Fail, pods+": routes and annotated objects cannot be written", hint))
	case have < want:
		return append(lines, hinted(Warn, pods, hint))
	}
	return append(lines, ok("%s", pods))
}
