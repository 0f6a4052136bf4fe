// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

func TestConsider(t *testing.T) {
	younger := change(t, change(t, annotated(t, serviceYAML, "dapr.io/app-id: taken"), "name: whoami,", "name: other,"), "01-02", "01-09")
	stored := fixture{services: []string{serviceYAML, younger}, gateways: []string{gatewayYAML}}.objects(t)
	for _, test := range []struct {
		name, text, id, want string
	}{
		{name: "as it is", text: serviceYAML, id: "whoami"},
		{name: "an ID that a younger object has", text: annotated(t, serviceYAML, "dapr.io/app-id: taken"), want: "DPR304"},
		{name: "an ID that a Gateway has", text: annotated(t, serviceYAML, "dapr.io/app-id: ingress"), want: "DPR304"},
		{name: "another ID", text: annotated(t, serviceYAML, "dapr.io/app-id: free"), id: "free"},
		{name: "in another namespace", text: change(t, annotated(t, serviceYAML, "dapr.io/app-id: taken"), "namespace: default", "namespace: shop"), id: "taken"},
		{name: "not enrolled", text: plain(t, serviceYAML)},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := read[corev1.Service](t, test.text)
			kept, before := object.DeepCopy(), deepCopy(stored)
			got := mesh.Consider(stored, mesh.DefaultConfig(), object)
			if got.ID() != test.id {
				t.Errorf("app ID %q, want %q", got.ID(), test.id)
			}
			if have := strings.Join(texts(got.Findings), "\n"); !strings.Contains(have, test.want) || test.want == "" && have != "" {
				t.Errorf("want %q in %q", test.want, have)
			}
			if diff := cmp.Diff(kept, object); diff != "" {
				t.Errorf("modified its object (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, stored); diff != "" {
				t.Errorf("modified the objects (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a Deployment behind an enrolled Service is that app", func(t *testing.T) {
		got := mesh.Consider(stored, mesh.DefaultConfig(), read[appsv1.Deployment](t, annotated(t, deploymentYAML, "daprise.dev/service: whoami")))
		if got.ID() != "whoami" || got.App.Owner.Object.Kind != "Service" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("other types", func(t *testing.T) {
		if got := mesh.Consider(stored, mesh.DefaultConfig(), &corev1.Pod{}); got.ID() != "" || got.Findings != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestUnrelatedUpdateInConflict: two replicas admitted one app ID twice; what writes to either object afterwards is not refused for it.
func TestUnrelatedUpdateInConflict(t *testing.T) {
	other := change(t, change(t, annotated(t, serviceYAML, "dapr.io/app-id: whoami"), "name: whoami,", "name: other,"), "01-02", "01-03")
	stored := fixture{services: []string{serviceYAML, other}}.objects(t)
	for _, old := range stored.Services {
		updated := old.DeepCopy()
		updated.Labels = map[string]string{"touched": "true"}
		before := mesh.Consider(stored, mesh.DefaultConfig(), old)
		after := mesh.Consider(stored, mesh.DefaultConfig(), updated)
		got := mesh.Provoked(before.Findings, after.Findings)
		if mesh.Denied(got) || len(got) != 1 || got[0].Severity != mesh.Warn {
			t.Errorf("%s: want one warning, got %q", old.Name, texts(got))
		}
	}
}

func TestProvoked(t *testing.T) {
	deny := mesh.Finding{Code: "DPR302", Severity: mesh.Deny, Field: "f", Message: "m"}
	warn, other := deny, deny
	warn.Severity, other.Message = mesh.Warn, "n"
	for _, test := range []struct {
		name                string
		before, after, want []mesh.Finding
	}{
		{"new", nil, []mesh.Finding{deny}, []mesh.Finding{deny}},
		{"held before", []mesh.Finding{deny}, []mesh.Finding{deny}, []mesh.Finding{warn}},
		{"another value", []mesh.Finding{deny}, []mesh.Finding{other}, []mesh.Finding{other}},
		{"mended", []mesh.Finding{deny}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, mesh.Provoked(test.before, test.after)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectsWith(t *testing.T) {
	stored := fixture{services: []string{serviceYAML}}.objects(t)
	replacement := stored.Services[0].DeepCopy()
	replacement.Annotations = nil
	if got := stored.With(replacement); len(got.Services) != 1 || got.Services[0] != replacement {
		t.Errorf("not replaced: %+v", got)
	}
	added := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "added"}}
	if got := stored.With(added); len(got.Services) != 2 || len(stored.Services) != 1 {
		t.Errorf("not added, or added to the argument: %+v", got)
	}
}
