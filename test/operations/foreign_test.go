// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const foreignHook = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
- name: %[1]s.example.com
  clientConfig: {url: %[2]q, caBundle: %[3]s}
  rules: [{apiGroups: ["", gateway.networking.k8s.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [services, httproutes]}]
  namespaceSelector: {matchLabels: {foreign: "%[1]s"}}
  sideEffects: None
  admissionReviewVersions: [v1]
`

// foreign registers a mutating webhook of somebody else's, for namespaces with the label foreign=NAME. The API server calls webhooks in the
// order of their configurations' names.
func foreign(t *testing.T, name string, patch func(kind string) string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if text := patch(review.Request.Kind.Kind); text != "" {
			kind := admissionv1.PatchTypeJSONPatch
			response.Patch, response.PatchType = []byte(text), &kind
		}
		answer := admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Response: response}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	apply(t, fmt.Sprintf(foreignHook, name, server.URL, base64.StdEncoding.EncodeToString(ca)))
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "mutatingwebhookconfiguration", name); err != nil {
			t.Error(err)
		}
		server.Close()
	})
}

// foreignWebhooks: what a webhook before ours writes is what we decide on; what one after ours adds to a route is rewritten, since the API
// server asks us again; and what it makes of a rewritten rule is judged as what a user would have written.
func foreignWebhooks(t *testing.T) {
	startReplica(t)
	t.Run("before", func(t *testing.T) {
		const ns = "foreign-before"
		enrol(t, ns)
		foreign(t, "a-foreign", func(kind string) string {
			if kind != "Service" {
				return ""
			}
			return `[{"op":"add","path":"/metadata/annotations","value":{"daprise.dev/enabled":"true","dapr.io/app-id":"by-webhook"}}]`
		})
		kubectl(t, "label", "namespace", ns, "foreign=a-foreign")
		apply(t, strings.ReplaceAll(strings.Replace(in(ns, service), `, annotations: {daprise.dev/enabled: "true"}`, "", 1), "whoami", "plain"))
		if id := field(t, `.metadata.labels.daprise\.dev/app-id`, "service", "-n", ns, "plain"); id != "by-webhook" {
			t.Errorf("a Service that a webhook before ours annotated has the app ID %q", id)
		}
	})
	t.Run("after", func(t *testing.T) {
		const ns = "foreign-after"
		enrol(t, ns)
		foreign(t, "z-foreign", func(kind string) string {
			if kind != "HTTPRoute" {
				return ""
			}
			return `[{"op":"add","path":"/spec/rules/-","value":{"matches":[{"path":{"type":"PathPrefix","value":"/added"}}],"backendRefs":[{"name":"whoami","port":80}]}}]`
		})
		kubectl(t, "label", "namespace", ns, "foreign=z-foreign")
		apply(t, in(ns, strings.ReplaceAll(route, "whoami-route", "added-route")))
		if backends := field(t, ".spec.rules[*].backendRefs[*].name", "httproute", "-n", ns, "added-route"); backends != "ingress-dapr ingress-dapr" {
			t.Errorf("the backends of the rules are %s", backends)
		}
	})
	t.Run("that takes the way through the companion back", func(t *testing.T) {
		const ns = "foreign-undoes"
		enrol(t, ns)
		foreign(t, "z-undoes", func(kind string) string {
			if kind != "HTTPRoute" {
				return ""
			}
			return `[{"op":"replace","path":"/spec/rules","value":[{"matches":[{"path":{"type":"PathPrefix","value":"/"}}],"backendRefs":[{"name":"whoami","port":80}]}]}]`
		})
		kubectl(t, "label", "namespace", ns, "foreign=z-undoes")
		apply(t, in(ns, strings.ReplaceAll(route, "whoami-route", "undone-route")))
		if backends := field(t, ".spec.rules[*].backendRefs[*].name", "httproute", "-n", ns, "undone-route"); backends != "ingress-dapr" {
			t.Errorf("a route past the companion is stored: its backend is %s", backends)
		}
	})
}
