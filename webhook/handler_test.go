// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/webhook"
)

// worlds are the two answers of a loader.
type worlds struct {
	cached, live func() (policy.World, error)
	// loads counts them, and glances what is asked of enrolments.
	cachedLoads, liveLoads, glances int
	// seen says that there are none but those that the caches know; broken is why that could not be asked.
	seen   bool
	broken error
}

func (w *worlds) Load(context.Context, mesh.Need) (policy.World, error) {
	w.cachedLoads++
	return w.cached()
}

func (w *worlds) LoadLive(context.Context, string, mesh.Need) (policy.World, error) {
	w.liveLoads++
	return w.live()
}

func (w *worlds) Unseen(context.Context, mesh.Need, *mesh.View) (bool, error) {
	w.glances++
	return !w.seen, w.broken
}

func empty() (policy.World, error) {
	return policy.World{View: &mesh.View{Config: mesh.DefaultConfig()}, Set: policy.NewSet()}, nil
}

// edge is a served Edge with its log and metrics.
type edge struct {
	handler http.Handler
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newEdge(t testing.TB, w webhook.Worlds) edge {
	t.Helper()
	e := edge{log: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
	made, err := webhook.New(webhook.Options{
		Worlds: w, Config: mesh.DefaultConfig(), Metrics: e.metrics,
		Log: slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.handler = made.Handler()
	return e
}

func (e edge) post(path, contentType string, body io.Reader) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, path, body)
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	e.handler.ServeHTTP(recorder, request)
	return recorder
}

// minimal is the smallest valid review; tests change one thing.
func minimal(change func(map[string]any)) string {
	request := map[string]any{
		"uid": "u1", "operation": "CREATE", "namespace": "default", "name": "web",
		"kind":     map[string]any{"group": "", "version": "v1", "kind": "Service"},
		"resource": map[string]any{"group": "", "version": "v1", "resource": "services"},
		"object":   map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web", "namespace": "default"}},
	}
	review := map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
	if change != nil {
		change(review)
	}
	data, err := json.Marshal(review)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func inRequest(key string, value any) func(map[string]any) {
	return func(review map[string]any) { requestIn(review)[key] = value }
}

func without(key string) func(map[string]any) {
	return func(review map[string]any) { delete(requestIn(review), key) }
}

func requestIn(review map[string]any) map[string]any {
	request, ok := review["request"].(map[string]any)
	if !ok {
		panic("the review has no request")
	}
	return request
}

func TestMalformedReviews(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		body        string
		code        int
		reason      metav1.StatusReason
		message     string
		uid         types.UID
	}{
		{name: "empty", body: "", code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: unexpected end of JSON input"},
		{name: "null", body: "null", code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: not an object"},
		{name: "no JSON", body: "<html>", code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: invalid character '<' looking for beginning of value"},
		{name: "two values", body: minimal(nil) + minimal(nil), code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: invalid character '{' after top-level value"},
		{name: "a list", body: "[]", code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: not an object"},
		{
			name: "an older version", body: minimal(func(r map[string]any) { r["apiVersion"] = "admission.k8s.io/v1beta1" }), code: 400, uid: "u1",
			reason: metav1.StatusReasonBadRequest, message: `daprise-webhook: request u1: malformed AdmissionReview: got "admission.k8s.io/v1beta1" "AdmissionReview", want "admission.k8s.io/v1" "AdmissionReview"`,
		},
		{
			name: "another kind", body: minimal(func(r map[string]any) { r["kind"] = "Pod" }), code: 400, uid: "u1",
			reason: metav1.StatusReasonBadRequest, message: `daprise-webhook: request u1: malformed AdmissionReview: got "admission.k8s.io/v1" "Pod", want "admission.k8s.io/v1" "AdmissionReview"`,
		},
		{name: "no request", body: minimal(func(r map[string]any) { delete(r, "request") }), code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: no request"},
		{name: "no UID", body: minimal(without("uid")), code: 400, reason: metav1.StatusReasonBadRequest, message: "daprise-webhook: malformed AdmissionReview: no request.uid"},
		{name: "no object", body: minimal(without("object")), code: 400, reason: metav1.StatusReasonBadRequest, uid: "u1", message: "daprise-webhook: request u1: malformed AdmissionReview: CREATE without request.object"},
		{name: "null object", body: minimal(inRequest("object", nil)), code: 400, reason: metav1.StatusReasonBadRequest, uid: "u1", message: "daprise-webhook: request u1: malformed AdmissionReview: CREATE without request.object"},
		{name: "no old object", body: minimal(inRequest("operation", "UPDATE")), code: 400, reason: metav1.StatusReasonBadRequest, uid: "u1", message: "daprise-webhook: request u1: malformed AdmissionReview: UPDATE without request.oldObject"},
		{name: "unknown operation", body: minimal(inRequest("operation", "PATCH")), code: 400, reason: metav1.StatusReasonBadRequest, uid: "u1", message: `daprise-webhook: request u1: malformed AdmissionReview: unknown operation "PATCH"`},
		{name: "unasked operation", body: minimal(inRequest("operation", "CONNECT")), code: 400, reason: metav1.StatusReasonBadRequest, uid: "u1", message: `daprise-webhook: request u1: malformed AdmissionReview: no decision for it: CONNECT of "/v1, Resource=services" ""`},
		{
			name: "unknown resource", body: minimal(inRequest("resource", map[string]any{"version": "v1", "resource": "secrets"})), code: 400, uid: "u1",
			reason: metav1.StatusReasonBadRequest, message: `daprise-webhook: request u1: malformed AdmissionReview: no decision for it: CREATE of "/v1, Resource=secrets" ""`,
		},
		{
			name: "unknown version", body: minimal(inRequest("resource", map[string]any{"version": "v2", "resource": "services"})), code: 400, uid: "u1",
			reason: metav1.StatusReasonBadRequest, message: `daprise-webhook: request u1: malformed AdmissionReview: no decision for it: CREATE of "/v2, Resource=services" ""`,
		},
		{
			name: "subresource", body: minimal(inRequest("subResource", "status")), code: 400, uid: "u1",
			reason: metav1.StatusReasonBadRequest, message: `daprise-webhook: request u1: malformed AdmissionReview: no decision for it: CREATE of "/v1, Resource=services" "status"`,
		},
		{name: "wrong content type", contentType: "application/yaml", body: minimal(nil), code: 415, reason: metav1.StatusReasonUnsupportedMediaType, message: `daprise-webhook: content type "application/yaml", want application/json`},
		{
			name: "too large, said so", body: strings.Repeat(" ", webhook.MaxBody+1), code: 413,
			reason: metav1.StatusReasonRequestEntityTooLarge, message: "daprise-webhook: body of 8388609 bytes, at most 8388608 are read",
		},
	}
	for _, tt := range tests {
		for _, path := range []string{webhook.PathMutate, webhook.PathValidate} {
			t.Run(tt.name+path, func(t *testing.T) {
				contentType := tt.contentType
				if contentType == "" {
					contentType = "application/json; charset=utf-8"
				}
				e := newEdge(t, &worlds{cached: empty, live: empty})
				got := e.post(path, contentType, strings.NewReader(tt.body))
				want := metav1.Status{
					TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
					Code: int32(tt.code), Reason: tt.reason, Message: tt.message, Details: &metav1.StatusDetails{UID: tt.uid},
				}
				checkStatus(t, got, want)
			})
		}
	}
}

func checkStatus(t *testing.T, got *httptest.ResponseRecorder, want metav1.Status) {
	t.Helper()
	if got.Code != int(want.Code) {
		t.Errorf("code: want %d, got %d", want.Code, got.Code)
	}
	var status metav1.Status
	if err := json.Unmarshal(got.Body.Bytes(), &status); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	e := newEdge(t, &worlds{cached: empty, live: empty})
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{http.MethodGet, webhook.PathMutate, http.StatusMethodNotAllowed},
		{http.MethodPut, webhook.PathValidate, http.StatusMethodNotAllowed},
		{http.MethodPost, "/", http.StatusNotFound},
		{http.MethodPost, "/mutate/more", http.StatusNotFound},
	} {
		recorder := httptest.NewRecorder()
		e.handler.ServeHTTP(recorder, httptest.NewRequest(tt.method, tt.path, http.NoBody))
		if recorder.Code != tt.code {
			t.Errorf("%s %s: want %d, got %d", tt.method, tt.path, tt.code, recorder.Code)
		}
	}
}

// endless is a body without end and without a length.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestEndlessBodyIsNotRead(t *testing.T) {
	e := newEdge(t, &worlds{cached: empty, live: empty})
	body := &endless{}
	got := e.post(webhook.PathMutate, "application/json", io.NopCloser(body))
	checkStatus(t, got, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: 413, Reason: metav1.StatusReasonRequestEntityTooLarge, Message: "daprise-webhook: read body: http: request body too large", Details: &metav1.StatusDetails{},
	})
	if limit := webhook.MaxBody + 64<<10; body.read > limit {
		t.Errorf("read %d bytes, want at most %d", body.read, limit)
	}
}

func TestOurFaultsAreHTTPErrors(t *testing.T) {
	policyRequest := inRequest("resource", map[string]any{"group": "networking.k8s.io", "version": "v1", "resource": "networkpolicies"})
	policyKind := inRequest("kind", map[string]any{"group": "networking.k8s.io", "version": "v1", "kind": "NetworkPolicy"})
	tests := []struct {
		name    string
		worlds  *worlds
		path    string
		body    string
		message string
	}{
		{
			name:    "the world cannot be read",
			worlds:  &worlds{cached: func() (policy.World, error) { return policy.World{}, errors.New("no API server") }},
			path:    webhook.PathMutate,
			body:    minimal(nil),
			message: "daprise-webhook: request u1: load the world of Service default/web: no API server",
		},
		{
			name:    "a panic",
			worlds:  &worlds{cached: func() (policy.World, error) { panic("a bug") }},
			path:    webhook.PathValidate,
			body:    minimal(nil),
			message: "daprise-webhook: request u1: panic: a bug",
		},
		{
			name:    "an object that is none, validated",
			worlds:  &worlds{cached: empty},
			path:    webhook.PathValidate,
			body:    minimal(func(r map[string]any) { policyRequest(r); policyKind(r); inRequest("object", 7)(r) }),
			message: "daprise-webhook: request u1: decode NetworkPolicy: object does not fit its kind: json: cannot unmarshal number into Go value of type v1.NetworkPolicy",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEdge(t, tt.worlds)
			checkStatus(t, e.post(tt.path, "application/json", strings.NewReader(tt.body)), metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
				Code: 500, Reason: metav1.StatusReasonInternalError, Message: tt.message, Details: &metav1.StatusDetails{UID: "u1"},
			})
			if !strings.Contains(e.log.String(), `"level":"ERROR"`) {
				t.Errorf("nothing at level ERROR in the log:\n%s", e.log)
			}
		})
	}
}

func TestMutationLeavesToTheSchemaWhatItCannotDecode(t *testing.T) {
	e := newEdge(t, &worlds{cached: empty, live: empty})
	body := minimal(func(r map[string]any) {
		inRequest("resource", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "resource": "httproutes"})(r)
		inRequest("object", map[string]any{"spec": map[string]any{"rules": "none"}})(r)
	})
	got := e.post(webhook.PathMutate, "application/json", strings.NewReader(body))
	want := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: &admissionv1.AdmissionResponse{UID: "u1", Allowed: true},
	}
	checkReview(t, got, want)
	if got := e.post(webhook.PathValidate, "application/json", strings.NewReader(body)); got.Code != http.StatusInternalServerError {
		t.Errorf("validated: want 500, got %d", got.Code)
	}
}

func checkReview(t *testing.T, got *httptest.ResponseRecorder, want admissionv1.AdmissionReview) {
	t.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(got.Body.Bytes(), &review); err != nil || got.Code != http.StatusOK {
		t.Fatalf("HTTP %d, %v: %s", got.Code, err, got.Body)
	}
	if diff := cmp.Diff(want, review); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExemptNamespaces(t *testing.T) {
	disabled := func() (policy.World, error) {
		w, _ := empty()
		w.View.Namespaces = map[string]map[string]string{"default": {mesh.LabelAdmission: "disabled"}}
		return w, nil
	}
	broken := func() (policy.World, error) { return policy.World{}, errors.New("must not be read") }
	tests := []struct {
		name, namespace string
		worlds          *worlds
	}{
		{"named in the config file", "kube-system", &worlds{cached: broken, live: broken}},
		{"our own", mesh.SystemNamespace, &worlds{cached: broken, live: broken}},
		{"labelled", "default", &worlds{cached: disabled, live: broken}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := minimal(func(r map[string]any) {
				inRequest("namespace", tt.namespace)(r)
				inRequest("object", map[string]any{"metadata": map[string]any{"annotations": map[string]any{"daprise.dev/nonsense": "x"}}})(r)
			})
			for _, path := range []string{webhook.PathMutate, webhook.PathValidate} {
				checkReview(t, newEdge(t, tt.worlds).post(path, "application/json", strings.NewReader(body)), admissionv1.AdmissionReview{
					TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
					Response: &admissionv1.AdmissionResponse{UID: "u1", Allowed: true},
				})
			}
		})
	}
}
