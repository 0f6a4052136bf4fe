// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/daprise/daprise/webhook"
)

// FuzzHandler: whatever is sent, the answer is a Status of an HTTP error or a valid review with the request's UID, and never a panic.
func FuzzHandler(f *testing.F) {
	f.Add(true, []byte(minimal(nil)))
	f.Add(false, []byte(minimal(inRequest("operation", "DELETE"))))
	f.Add(false, []byte(minimal(inRequest("subResource", "status"))))
	f.Add(true, []byte(minimal(func(r map[string]any) {
		inRequest("resource", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "resource": "httproutes"})(r)
		inRequest("kind", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "kind": "HTTPRoute"})(r)
		inRequest("object", map[string]any{"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{nil}}}}})(r)
	})))
	f.Add(false, []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u"}}`))
	f.Add(false, []byte(strings.Repeat("[", 20_000)))
	f.Fuzz(func(t *testing.T, mutate bool, body []byte) {
		path := webhook.PathValidate
		if mutate {
			path = webhook.PathMutate
		}
		checkAnswer(t, newEdge(t, &worlds{cached: empty, live: empty}), path, body)
	})
}

// checkAnswer posts a body and says whether the answer is a review.
func checkAnswer(t *testing.T, e edge, path string, body []byte) bool {
	t.Helper()
	got := e.post(path, "application/json", bytes.NewReader(body))
	if strings.Contains(e.log.String(), `"msg":"panic"`) {
		t.Fatalf("a panic:\n%s", e.log)
	}
	if got.Code != http.StatusOK {
		checkFailure(t, got.Code, got.Body.Bytes())
		return false
	}
	var asked, answered admissionv1.AdmissionReview
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &asked); err != nil || asked.Request == nil {
		t.Fatalf("HTTP 200 on what is no review: %v", err)
	}
	if err := json.Unmarshal(got.Body.Bytes(), &answered); err != nil {
		t.Fatalf("the answer is no review: %v", err)
	}
	checkResponse(t, asked.Request, answered.Response)
	return true
}

func checkFailure(t *testing.T, code int, body []byte) {
	t.Helper()
	var status metav1.Status
	if err := json.Unmarshal(body, &status); err != nil || status.Kind != "Status" || int(status.Code) != code || status.Message == "" {
		t.Errorf("HTTP %d with %s (%v)", code, body, err)
	}
	if code < 400 || code > 599 {
		t.Errorf("HTTP %d", code)
	}
}

func checkResponse(t *testing.T, request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) {
	t.Helper()
	switch {
	case response == nil:
		t.Error("no response")
	case response.UID != request.UID || response.UID == "":
		t.Errorf("UID %q, want %q", response.UID, request.UID)
	case !response.Allowed && (response.Result == nil || response.Result.Code != 403 && response.Result.Code != 422 || response.Result.Message == ""):
		t.Errorf("refused with %+v", response.Result)
	case response.Allowed && response.Result != nil, !response.Allowed && response.Patch != nil, (response.Patch == nil) != (response.PatchType == nil):
		t.Errorf("contradicts itself: %+v", response)
	}
}
