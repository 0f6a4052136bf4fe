// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"fmt"
	"maps"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// readmission is what is to be done about a stored route.
type readmission struct {
	// patch is a JSON merge patch that touches the route, so that admission runs again, or nil if admission would change nothing.
	patch []byte
	// refused is why admission would refuse the route, as it is stored, now.
	refused []mesh.Finding
	// unfit is why admission would refuse the same rules if they were new: it leaves them as they are, and they stay outside the mesh.
	unfit []mesh.Finding
	// joining are admission's warnings about a route that is left direct until its companions are ready.
	joining []mesh.Finding
}

// readmit decides whether admission would store another route than is stored, and with which patch to let it. The patch names the
// version that was judged, and changes one annotation to the value that admission would write: nothing of the spec. It does not modify
// its argument.
func readmit(stored *unstructured.Unstructured, view *mesh.View) (readmission, error) {
	before, err := stored.MarshalJSON()
	if err != nil {
		return readmission{}, fmt.Errorf("encode %s: %w", stored.GetKind(), err)
	}
	result, err := decide(stored.GetKind(), before, view)
	if err != nil {
		return readmission{}, fmt.Errorf("decide about %s %s/%s: %w", stored.GetKind(), stored.GetNamespace(), stored.GetName(), err)
	}
	var r readmission
	for _, f := range result.Findings {
		switch {
		case f.Severity == mesh.Deny:
			r.refused = append(r.refused, f)
		case f.Code == mesh.CodeJoining:
			r.joining = append(r.joining, f)
		}
	}
	if len(r.refused) > 0 {
		return r, nil
	}
	if len(result.Patch) == 0 {
		r.unfit, err = unfit(stored, before, view)
		return r, err
	}
	after, err := patched(before, result)
	if err != nil {
		return r, err
	}
	if maps.Equal(stored.GetAnnotations(), after.GetAnnotations()) && sameSpec(stored, after) {
		return r, nil
	}
	r.patch, err = touch(stored, after)
	return r, err
}

// unfit is what would be refused of a stored route if it were new.
func unfit(stored *unstructured.Unstructured, encoded []byte, view *mesh.View) ([]mesh.Finding, error) {
	result, err := mutate.Route(mutate.Request{Kind: stored.GetKind(), Object: encoded}, view)
	if err != nil {
		return nil, fmt.Errorf("decide about %s %s/%s: %w", stored.GetKind(), stored.GetNamespace(), stored.GetName(), err)
	}
	var findings []mesh.Finding
	for _, f := range result.Findings {
		if f.Severity == mesh.Deny {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// decide asks what admission would make of a stored route that is written again as it is.
func decide(kind string, stored []byte, view *mesh.View) (mutate.Result, error) {
	return mutate.Route(mutate.Request{Kind: kind, Object: stored, OldObject: stored}, view)
}

func patched(before []byte, result mutate.Result) (*unstructured.Unstructured, error) {
	operations, err := json.Marshal(result.Patch)
	if err != nil {
		return nil, fmt.Errorf("encode the patch of a route: %w", err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		return nil, fmt.Errorf("decode the patch of a route: %w", err)
	}
	data, err := patch.Apply(before)
	if err != nil {
		return nil, fmt.Errorf("apply the patch of a route: %w", err)
	}
	after := &unstructured.Unstructured{}
	if err := after.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("decode a patched route: %w", err)
	}
	return after, nil
}

func sameSpec(a, b *unstructured.Unstructured) bool {
	before, errBefore := json.Marshal(a.Object["spec"])
	after, errAfter := json.Marshal(b.Object["spec"])
	return errBefore == nil && errAfter == nil && string(before) == string(after)
}

// touch is the merge patch that gives the stored route the revision that admission would write: null takes it away.
func touch(stored, after *unstructured.Unstructured) ([]byte, error) {
	var revision any
	if value, ok := after.GetAnnotations()[mesh.AnnotationRevision]; ok {
		revision = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": stored.GetResourceVersion(),
		"annotations":     map[string]any{mesh.AnnotationRevision: revision},
	}})
	if err != nil {
		return nil, fmt.Errorf("encode the touch of a route: %w", err)
	}
	return patch, nil
}
