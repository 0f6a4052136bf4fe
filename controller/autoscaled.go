// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh/companion"
)

// autoscaler is the field manager of HorizontalPodAutoscalers: they scale from within kube-controller-manager.
const autoscaler = "kube-controller-manager"

// autoscaledAs is the input for a companion whose replicas an autoscaler has set: they are left to it. Who scales by hand is corrected. It
// does not modify its arguments.
func autoscaledAs(in companion.Input, workloads []client.Object) companion.Input {
	in.Autoscaled = slices.ContainsFunc(workloads, func(w client.Object) bool {
		return slices.ContainsFunc(w.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
			return e.Subresource == "scale" && e.Manager == autoscaler
		})
	})
	return in
}
