// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// Dapr's names (dapr charts, pkg/sentry).
const (
	trustBundle    = "dapr-trust-bundle"
	trustBundleKey = "ca.crt"
	labelVersion   = "app.kubernetes.io/version"
)

// controlPlane are the Deployments of Dapr without which companions do not start.
func controlPlane() []string { return []string{"dapr-sentry", "dapr-operator"} }

// daprFacts is what was read of Dapr.
type daprFacts struct {
	missing []string
	// anchors is nil where the trust bundle does not exist.
	anchors *string
	// deployments are those of the control plane's namespace.
	deployments []*appsv1.Deployment
}

func dapr(ctx context.Context, c *Cluster) ([]Line, error) {
	var f daprFacts
	var err error
	if f.missing, err = c.missing(schema.GroupVersion{Group: "dapr.io", Version: "v1alpha1"}, "Configuration"); err != nil {
		return nil, err
	}
	namespace := c.config.Dapr.ControlPlaneNamespace
	bundle := &corev1.ConfigMap{}
	found, err := c.get(ctx, client.ObjectKey{Namespace: namespace, Name: trustBundle}, bundle)
	if err != nil {
		return nil, err
	}
	if found {
		f.anchors = new(bundle.Data[trustBundleKey])
	}
	f.deployments, err = live.List[*appsv1.Deployment](ctx, c.client, &appsv1.DeploymentList{}, client.InNamespace(namespace))
	return judgeDapr(f, c.config, c.now), err
}

func judgeDapr(f daprFacts, config mesh.Config, now time.Time) []Line {
	namespace := config.Dapr.ControlPlaneNamespace
	if len(f.missing) > 0 {
		return []Line{hinted(Fail, "the API server does not serve Configuration", "Install Dapr's control plane, 1.15 or later; no sidecar injector is needed.")}
	}
	var lines []Line
	for _, name := range controlPlane() {
		lines = append(lines, judgeDeployment(f.deployments, name, config))
	}
	if f.anchors == nil {
		return append(lines, hinted(Fail, fmt.Sprintf("ConfigMap %s/%s is not found: companions are held [%s]", namespace, trustBundle, mesh.CodeTrustBundle),
			"Dapr's sentry writes it: see that sentry runs, and that dapr.controlPlaneNamespace in daprise's config file is right."))
	}
	anchors := hooks.Certificates([]byte(*f.anchors))
	if len(anchors) == 0 {
		return append(lines, hinted(Fail, fmt.Sprintf("ConfigMap %s/%s holds no certificate in key %s", namespace, trustBundle, trustBundleKey), "Restore it from Secret "+trustBundle+"."))
	}
	return append(lines, judgeExpiry(expiring{what: "Dapr's root certificate", until: last(anchors), now: now, hint: "Replace it (docs/operations.md, \"Replacing Dapr's root certificate\")."}))
}

// judgeDeployment judges one Deployment of Dapr's control plane.
func judgeDeployment(deployments []*appsv1.Deployment, name string, config mesh.Config) Line {
	i := slices.IndexFunc(deployments, func(d *appsv1.Deployment) bool { return d.Name == name })
	if i < 0 {
		return hinted(Fail, fmt.Sprintf("Deployment %s/%s is not found", config.Dapr.ControlPlaneNamespace, name),
			"Install Dapr's control plane, or say in daprise's config file where it is (dapr.controlPlaneNamespace).")
	}
	d := deployments[i]
	if d.Status.AvailableReplicas == 0 {
		return hinted(Fail, fmt.Sprintf("Deployment %s/%s has no available pod", d.Namespace, name), "kubectl describe deployment -n "+d.Namespace+" "+name)
	}
	have := d.Labels[labelVersion]
	if have != "" && minor(have) != minor(config.Dapr.Version) {
		return hinted(Warn, fmt.Sprintf("%s is %s, and companions are made for Dapr %s", name, have, config.Dapr.Version),
			"Set dapr.version and dapr.images in daprise's config file to the control plane's version.")
	}
	return ok("%s %s", name, strings.TrimSpace(have+" is available"))
}

// minor is "1.18" of "1.18.2".
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// last is when the last of some certificates ends: the others may be on their way out.
func last(all []*x509.Certificate) time.Time {
	var until time.Time
	for _, c := range all {
		if c.NotAfter.After(until) {
			until = c.NotAfter
		}
	}
	return until
}
