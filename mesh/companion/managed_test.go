// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"encoding/json"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/mesh/companion"
)

// fields are managedFields' own form, FieldsV1.
type fields = map[string]any

func TestUpToDateByManagedFields(t *testing.T) {
	pod := []string{"f:spec", "f:template", "f:spec"}
	tests := []struct {
		name, manager, operation string
		// tweak changes what managedFields tell of a Deployment that we applied as it is rendered.
		tweak func(t *testing.T, all fields)
		want  bool
	}{
		{name: "what we render", want: true, tweak: func(*testing.T, fields) {}},
		{name: "what we render, element by element", want: true, tweak: func(t *testing.T, all fields) {
			at(all, pod...)["f:containers"] = fields{`k:{"name":"daprd"}`: containerFields(t)}
		}},
		{name: "a field we no longer render", tweak: func(_ *testing.T, all fields) {
			at(all, pod...)["f:nodeSelector"] = fields{"f:pool": fields{}}
		}},
		{name: "an element we no longer render", tweak: func(t *testing.T, all fields) {
			container := containerFields(t)
			at(container, "f:env")[`k:{"name":"HTTPS_PROXY"}`] = fields{".": fields{}}
			at(all, pod...)["f:containers"] = fields{`k:{"name":"daprd"}`: container}
		}},
		{name: "an owner we no longer name", tweak: func(_ *testing.T, all fields) {
			at(all, "f:metadata")["f:ownerReferences"] = fields{`k:{"uid":"another"}`: fields{}}
		}},
		{name: "another has written an element of ours", tweak: func(t *testing.T, all fields) {
			container := containerFields(t)
			delete(at(container, "f:env"), `k:{"name":"DAPR_TRUST_ANCHORS"}`)
			at(all, pod...)["f:containers"] = fields{`k:{"name":"daprd"}`: container}
		}},
		{name: "another has written a list of ours", tweak: func(_ *testing.T, all fields) { delete(at(all, pod...), "f:volumes") }},
		{name: "another has written a number of ours", tweak: func(_ *testing.T, all fields) { delete(at(all, "f:spec"), "f:replicas") }},
		{name: "never applied by us", manager: "kubectl", operation: "Update", tweak: func(*testing.T, fields) {}},
		{name: "updated by us, never applied", operation: "Update", tweak: func(*testing.T, fields) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := deploymentFields(t)
			tt.tweak(t, all)
			data, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			entry := metav1.ManagedFieldsEntry{Manager: "daprise", Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1"}
			if tt.manager != "" {
				entry.Manager = tt.manager
			}
			if tt.operation != "" {
				entry.Operation = metav1.ManagedFieldsOperationType(tt.operation)
			}
			got, err := companion.UpToDate(deployment(), managedBy(entry, data))
			if got != tt.want || err != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	entry := metav1.ManagedFieldsEntry{Manager: "daprise", Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1"}
	if got, err := companion.UpToDate(deployment(), managedBy(entry, []byte("{"))); got || err == nil {
		t.Errorf("what cannot be read: %v, %v", got, err)
	}
}

// managedBy is the stored Deployment with one entry of managedFields beside that of the controller that writes its status.
func managedBy(entry metav1.ManagedFieldsEntry, data []byte) *appsv1.Deployment {
	d := stored()
	status := metav1.ManagedFieldsEntry{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status", FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{},
	}
	status.FieldsV1.SetRawBytes([]byte(`{"f:status":{"f:conditions":{}}}`))
	entry.FieldsV1 = &metav1.FieldsV1{}
	entry.FieldsV1.SetRawBytes(data)
	d.ManagedFields = []metav1.ManagedFieldsEntry{status, entry}
	return d
}

// at are the fields below a path.
func at(all fields, path ...string) fields {
	for _, name := range path {
		all, _ = all[name].(fields)
	}
	return all
}

// deploymentFields tell that we applied the whole rendered Deployment, each list as a whole.
func deploymentFields(t *testing.T) fields {
	t.Helper()
	content, err := companion.Content(deployment())
	if err != nil {
		t.Fatal(err)
	}
	return fields{
		"f:metadata": fields{"f:labels": fieldsBelow(at(content.Object, "metadata", "labels")), "f:ownerReferences": fields{}},
		"f:spec":     fieldsBelow(content.Object["spec"]),
	}
}

// containerFields tell of the container field by field, and of its variables one by one.
func containerFields(t *testing.T) fields {
	t.Helper()
	content, err := companion.Content(deployment())
	if err != nil {
		t.Fatal(err)
	}
	containers, found, err := unstructured.NestedSlice(content.Object, "spec", "template", "spec", "containers")
	if err != nil || !found {
		t.Fatalf("no containers: %v", err)
	}
	container, _ := containers[0].(map[string]any)
	variables, _ := container["env"].([]any)
	env := fields{}
	for _, variable := range variables {
		v, _ := variable.(map[string]any)
		element := fieldsBelow(v)
		element["."] = fields{}
		env[fmt.Sprintf(`k:{"name":%q}`, v["name"])] = element
	}
	all := fieldsBelow(container)
	all["f:env"] = env
	return all
}

// fieldsBelow tell of a value field by field; of a list, as a whole.
func fieldsBelow(value any) fields {
	all := fields{}
	if m, ok := value.(map[string]any); ok {
		for key, below := range m {
			all["f:"+key] = fieldsBelow(below)
		}
	}
	return all
}
