// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Enrolment mutates a Service, Deployment or Gateway: the label daprise.dev/app-id, and, on a Deployment whose app may use its
// companion's API, Dapr's endpoints in the containers of its pod template. It writes nothing else; what an annotation does not say is
// never written out. It is idempotent, and reversible: without the annotation, both are taken away again, the endpoints only where
// their value is exactly ours.
//
// The findings are those of resolving the annotations (mesh.Enrol); what held for the old object already only warns (mesh.Provoked). If
// one denies, or an object that asks to be enrolled is not, the patch is empty and the object stays as its writer sent it. Validation,
// which follows, knows all that is wrong with it and refuses; a caller need not refuse here. An object that is being deleted is left
// alone.
//
// An error means that the request could not be decoded; it is never a refusal. Enrolment does not modify its arguments.
func Enrolment(req Request, view *mesh.View) (Result, error) {
	object, err := mesh.Decode(req.Kind, req.Object)
	if err != nil {
		return Result{}, err
	}
	if object.GetDeletionTimestamp() != nil {
		return Result{}, nil
	}
	candidate := mesh.Consider(view.Objects, view.Config, object)
	ids := labelled(object)
	findings := candidate.Findings
	if len(req.OldObject) > 0 {
		old, err := mesh.Decode(req.Kind, req.OldObject)
		if err != nil {
			return Result{}, err
		}
		ids = append(ids, labelled(old)...)
		if len(findings) > 0 {
			findings = mesh.Provoked(mesh.Consider(view.Objects, view.Config, old).Findings, findings)
		}
	}
	if mesh.Denied(findings) || len(findings) > 0 && object.GetAnnotations()[mesh.AnnotationEnabled] == "true" {
		return Result{Findings: findings}, nil
	}
	patch := labelPatch(object, candidate.ID())
	if deployment, ok := object.(*appsv1.Deployment); ok {
		e := endpoints{domain: view.Config.Cluster.Domain, namespace: deployment.Namespace, ids: ids}
		patch = append(patch, e.patch(deployment, candidate)...)
	}
	return Result{Patch: patch, Findings: findings}, nil
}

// labelled is the app ID that an object was enrolled with, as its label says.
func labelled(object metav1.Object) []string {
	if id := object.GetLabels()[mesh.LabelAppID]; id != "" {
		return []string{id}
	}
	return nil
}

// labelPatch makes the label say an app ID, or takes it away if there is none.
func labelPatch(object metav1.Object, id string) []jsonpatch.Operation {
	const labels = "/metadata/labels"
	have, labelled := object.GetLabels()[mesh.LabelAppID]
	key := labels + "/" + escaped(mesh.LabelAppID)
	switch {
	case id == have && labelled == (id != ""):
		return nil
	case id != "" && len(object.GetLabels()) == 0:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", labels, map[string]string{mesh.LabelAppID: id})}
	case id != "" && labelled:
		return []jsonpatch.Operation{jsonpatch.NewOperation("replace", key, id)}
	case id != "":
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", key, id)}
	case len(object.GetLabels()) == 1:
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", labels, nil)}
	default:
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", key, nil)}
	}
}

// escaped is one step of a JSON pointer (RFC 6901).
func escaped(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// without are the app IDs but for one.
func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}
