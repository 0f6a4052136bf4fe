// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// obstacleOf says why a companion can neither be started nor rolled, whatever its mode, or nothing: its pods would not come up, or would
// send what everybody can read. One that runs goes on. enrolled is its mesh.App or mesh.Ingress.
func obstacleOf(l loaded, enrolled any) *hold {
	view := l.world.View
	switch {
	case !l.dapr:
		return &hold{reasonDaprMissing, "the API server does not serve Dapr's kind Configuration: install Dapr"}
	case l.trust.problem != "":
		return &hold{reasonDaprMissing, l.trust.problem + " [" + string(mesh.CodeTrustBundle) + "]"}
	}
	if findings := view.CheckEncryption(); len(findings) > 0 {
		return &hold{reasonHeld, sentence(findings[0])}
	}
	app, isApp := enrolled.(mesh.App)
	if !isApp || app.Configuration() == "" {
		return nil
	}
	if _, found := view.ConfigurationOf(app); !found {
		return &hold{reasonHeld, sentences(view.CheckConfiguration(app, nil))}
	}
	return nil
}

// caveatsOf are what there is to say of a companion that runs or will.
func caveatsOf(l loaded, enrolled any) []mesh.Finding {
	view := l.world.View
	caveats := append(l.trust.caveat(), daprCaveat(l.daprVersion, view.Config.Dapr)...)
	switch e := enrolled.(type) {
	case mesh.App:
		caveats = append(caveats, view.CheckConfiguration(e, l.callers[e.AppRef])...)
		return append(caveats, view.CheckLocalRedirect(mesh.Candidate{App: &e})...)
	case mesh.Ingress:
		return append(caveats, view.CheckLocalRedirect(mesh.Candidate{Ingress: &e})...)
	default:
		return caveats
	}
}

// troubleOf is what Kubernetes says is wrong with a companion's workload, or nothing: no pod could be made, or none became ready in time.
func troubleOf(workloads []client.Object) string {
	for _, w := range workloads {
		d, ok := w.(*appsv1.Deployment)
		if !ok {
			continue // a DaemonSet says nothing of the kind
		}
		for _, c := range d.Status.Conditions {
			failed := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
			stuck := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
			if failed || stuck {
				return steady(c.Message)
			}
		}
	}
	return ""
}

// steady takes out of a message the name that the API server made up for a pod that it then refused: the next one has another, and the
// condition would be written again each time.
func steady(message string) string {
	return regexp.MustCompile(`^pods "[^"]*" is `).ReplaceAllString(message, "pods are ")
}
