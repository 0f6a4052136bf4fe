// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/mutate"
	"github.com/daprise/daprise/validate"
)

// mutateEnrolment decides what admission writes on a Service, Deployment or Gateway. It refuses nothing: whoever wrote the object is told
// everything that is wrong with it at once, by validation.
func mutateEnrolment(kind string) decider {
	return decider{
		version: "v1",
		lenient: true,
		need:    needOfEnrolment,
		decide: func(request *call, world policy.World) (verdict, error) {
			return mutated(mutate.Enrolment(mutation(kind, request.AdmissionRequest), world.View))
		},
	}
}

// validateEnrolment decides whether an enrolment is admitted.
func validateEnrolment(kind string) decider {
	return decider{
		version: "v1",
		need:    needOfEnrolment,
		decide: func(request *call, world policy.World) (verdict, error) {
			write := validate.EnrolmentWrite{Kind: kind, Object: request.Object.Raw}
			if !absent(request.OldObject.Raw) {
				write.OldObject = request.OldObject.Raw
			}
			findings, err := validate.Enrolment(world, write)
			if err != nil {
				return verdict{}, fmt.Errorf("validate: %w", err)
			}
			return verdict{findings: validate.ApplyModes(world.View, findings)}, nil
		},
		open: enrolmentOpen,
	}
}

// enrolmentOpen says that an object takes an app ID that it did not have: whether the names of its companion are free is known to a live
// load only. Objects are enrolled once, so that this costs little.
func enrolmentOpen(request *admissionv1.AdmissionRequest, _ mesh.Need, _ policy.World) bool {
	return labelIn(request.Object.Raw) != labelIn(request.OldObject.Raw)
}

// labelIn is the app ID on an object's label, or "" where it has none that can be read.
func labelIn(raw []byte) string {
	if absent(raw) {
		return ""
	}
	object, err := metaOf(raw)
	if err != nil {
		return ""
	}
	return object.Labels[mesh.LabelAppID]
}

func needOfEnrolment(request *call) (mesh.Need, error) {
	need := mesh.Need{}
	for _, raw := range versions(request.AdmissionRequest) {
		object, err := metaOf(raw)
		if err != nil {
			return mesh.Need{}, fmt.Errorf("decode %s: %w", request.Kind.Kind, err)
		}
		object.Namespace = request.Namespace
		need = need.Union(mesh.NeedOfEnrolment(object))
	}
	return need, nil
}

func mutation(kind string, request *admissionv1.AdmissionRequest) mutate.Request {
	r := mutate.Request{Kind: kind, Object: request.Object.Raw}
	if !absent(request.OldObject.Raw) {
		r.OldObject = request.OldObject.Raw
	}
	return r
}

func mutated(result mutate.Result, err error) (verdict, error) {
	if err != nil {
		return verdict{}, fmt.Errorf("mutate: %w", err)
	}
	return verdict{patch: result.Patch, findings: result.Findings}, nil
}
