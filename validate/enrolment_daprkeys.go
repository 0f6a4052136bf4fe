// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// daprKeys (DPR307, DPR302): Dapr's keys on an enrolled object keep Dapr's meaning within their grammar, or are refused with a reason:
// whoever may edit a Service must not thereby read a Secret or run an image. On an object that is not enrolled they are not for us.
func daprKeys(config mesh.Config, e *enrolment) []mesh.Finding {
	if e.meta.GetAnnotations()[mesh.AnnotationEnabled] != "true" || e.meta.GetDeletionTimestamp() != nil {
		return nil
	}
	return about(e.object, companion.CheckKeys(e.meta.GetAnnotations(), e.object.Kind, config))
}
