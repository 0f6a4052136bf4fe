// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// companionNames (DPR305): an object is not enrolled under an app ID whose companion would need the name of an object that daprise did
// not make, and will not touch. Who has its app ID already keeps it: the controller reports the conflict.
func companionNames(w policy.World, before, after *enrolment) []mesh.Finding {
	ref, enrolled := after.ref()
	if had, _ := before.ref(); !enrolled || had == ref {
		return nil
	}
	var findings []mesh.Finding
	for _, foreign := range w.View.Foreign {
		if foreign.Namespace != ref.Namespace || !needs(w.View, after, foreign) {
			continue
		}
		findings = append(findings, mesh.Finding{
			Code:     mesh.CodeNameTaken,
			Severity: mesh.Deny,
			Object:   after.object,
			Message:  fmt.Sprintf("the companion of app ID %q needs the name of %s, which daprise did not make", ref.ID, foreign),
			Fix:      "Rename or delete that object, or set dapr.io/app-id to another app ID.",
		})
	}
	return findings
}

// needs says whether a companion has an object of the kind and name of another (contract: "Names").
func needs(view *mesh.View, e *enrolment, foreign mesh.Object) bool {
	if e.App != nil && foreign.Kind == mesh.KindService && foreign.Name == mesh.APIServiceName(e.ID()) {
		return true
	}
	if foreign.Name != mesh.CompanionName(e.ID()) {
		return false
	}
	strategy, replicas, redirect := spread(e)
	switch foreign.Kind {
	case mesh.KindDeployment:
		return strategy == mesh.StrategyDeployment
	case "DaemonSet":
		return strategy == mesh.StrategyDaemonSet
	case "PodDisruptionBudget":
		return replicas > 1
	case "CiliumLocalRedirectPolicy":
		return redirect
	case policy.KindCNP:
		return view.PoliciesOf(e.object.Namespace) == mesh.PoliciesGenerate
	default:
		return true
	}
}

func spread(e *enrolment) (strategy mesh.Strategy, replicas int32, redirect bool) {
	if e.App != nil {
		return e.App.Strategy, e.App.Replicas, e.App.LocalRedirect
	}
	return e.Ingress.Strategy, e.Ingress.Replicas, e.Ingress.LocalRedirect
}
