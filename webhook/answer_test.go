// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
)

func request() *admissionv1.AdmissionRequest {
	return &admissionv1.AdmissionRequest{
		UID: "u1", Operation: admissionv1.Create, Namespace: "default", Name: "web",
		Kind: metav1.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"},
	}
}

func finding(change func(*mesh.Finding)) mesh.Finding {
	f := mesh.Finding{
		Code: mesh.CodeNotIsolated, Severity: mesh.Deny,
		Object:  mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "web"},
		Message: "companion is open", Fix: "Close it.",
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestAnswer(t *testing.T) {
	invalid := finding(func(f *mesh.Finding) {
		f.Code, f.Invalid, f.Field, f.Message, f.Fix = mesh.CodeBadValue, true, "metadata.annotations[x]", `"7x" is no number`, "Use one."
	})
	policy := finding(func(f *mesh.Finding) { f.Manifest = "kind: Policy\n" })
	warning := finding(func(f *mesh.Finding) {
		f.Severity, f.Code, f.Message = mesh.Warn, mesh.CodeAppReachable, "seen\nfrom outside"
	})
	silent := finding(func(f *mesh.Finding) { f.Severity = mesh.Audit })
	details := func(causes ...metav1.StatusCause) *metav1.StatusDetails {
		return &metav1.StatusDetails{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Name: "web", Causes: causes}
	}
	open := metav1.StatusCause{Type: metav1.CauseTypeForbidden, Message: "companion is open. Close it. [DPR101]"}
	jsonPatch := admissionv1.PatchTypeJSONPatch
	tests := []struct {
		name    string
		verdict verdict
		want    admissionv1.AdmissionResponse
	}{
		{name: "nothing to say", want: admissionv1.AdmissionResponse{UID: "u1", Allowed: true}},
		{
			name:    "a patch",
			verdict: verdict{patch: []jsonpatch.Operation{{Operation: "add", Path: "/metadata/labels", Value: map[string]string{"a": "b"}}}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", Allowed: true, PatchType: &jsonPatch, Patch: []byte(`[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`),
			},
		},
		{
			name:    "a refused act",
			verdict: verdict{findings: []mesh.Finding{policy}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", AuditAnnotations: map[string]string{"decision": "deny DPR101"},
				Result: &metav1.Status{
					Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden, Details: details(open),
					Message: "HTTPRoute default/web refused: companion is open. Close it. [DPR101]\nkind: Policy\n",
				},
			},
		},
		{
			name:    "malformed input comes before a refused act, and both are told",
			verdict: verdict{findings: []mesh.Finding{policy, invalid}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", AuditAnnotations: map[string]string{"decision": "deny DPR101,DPR302"},
				Result: &metav1.Status{
					Status: "Failure", Code: 422, Reason: metav1.StatusReasonInvalid,
					Details: details(open, metav1.StatusCause{
						Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata.annotations[x]", Message: `"7x" is no number. Use one. [DPR302]`,
					}),
					Message: "HTTPRoute default/web refused: companion is open. Close it. [DPR101]\nkind: Policy\n" +
						`HTTPRoute default/web refused: metadata.annotations[x]: "7x" is no number. Use one. [DPR302]`,
				},
			},
		},
		{
			name:    "warnings, each once and on one line",
			verdict: verdict{findings: []mesh.Finding{warning, warning}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", Allowed: true, Warnings: []string{"seen from outside [DPR110] (daprise explain DPR110)"},
				AuditAnnotations: map[string]string{"decision": "warn DPR110"},
			},
		},
		{
			name:    "a namespace in mode audit",
			verdict: verdict{findings: []mesh.Finding{silent}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", Allowed: true,
				AuditAnnotations: map[string]string{
					"decision": "audit DPR101",
					"findings": `[{"code":"DPR101","severity":"audit","object":{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","namespace":"default","name":"web"},"message":"companion is open","fix":""}]`,
				},
			},
		},
		{
			name:    "a denial has no patch",
			verdict: verdict{findings: []mesh.Finding{finding(nil)}, patch: []jsonpatch.Operation{{Operation: "remove", Path: "/a"}}},
			want: admissionv1.AdmissionResponse{
				UID: "u1", AuditAnnotations: map[string]string{"decision": "deny DPR101"},
				Result: &metav1.Status{
					Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden, Details: details(open),
					Message: "HTTPRoute default/web refused: companion is open. Close it. [DPR101]",
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := answer(request(), tt.verdict)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got.Response); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.Kind != "AdmissionReview" || got.APIVersion != "admission.k8s.io/v1" {
				t.Errorf("got a %s %s", got.APIVersion, got.Kind)
			}
		})
	}
}

func TestAnswerIsBounded(t *testing.T) {
	var findings []mesh.Finding
	for i := range 1000 {
		for _, severity := range []mesh.Severity{mesh.Deny, mesh.Warn, mesh.Audit} {
			findings = append(findings, finding(func(f *mesh.Finding) {
				f.Severity, f.Message = severity, fmt.Sprintf("number %d %s", i, strings.Repeat("ü", 300))
			}))
		}
	}
	got, err := answer(request(), verdict{findings: findings})
	if err != nil {
		t.Fatal(err)
	}
	response := got.Response
	if n := len(response.Result.Message); n > maxMessage+64 {
		t.Errorf("a message of %d bytes", n)
	}
	if !strings.HasSuffix(response.Result.Message, " more findings") {
		t.Errorf("the message ends in %q", response.Result.Message[len(response.Result.Message)-40:])
	}
	// Some 650 bytes each, as the message tells them.
	if n, told := len(response.Result.Details.Causes), strings.Count(response.Result.Message, " refused: "); n != told || n > 60 {
		t.Errorf("%d causes, %d refusals in the message", n, told)
	}
	size := 0
	for _, w := range response.Warnings {
		size += len(w)
	}
	if size > maxWarnings {
		t.Errorf("warnings of %d bytes", size)
	}
	if last := response.Warnings[len(response.Warnings)-1]; last != fmt.Sprintf("%d more warnings: daprise check", 1000-len(response.Warnings)+1) {
		t.Errorf("the last warning is %q", last)
	}
	if n := len(response.AuditAnnotations[auditFindings]); n == 0 || n > maxAudit {
		t.Errorf("an audit annotation of %d bytes", n)
	}
}

func TestObjectOf(t *testing.T) {
	named := func(name string) runtime.RawExtension {
		return runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"` + name + `"}}`)}
	}
	tests := []struct {
		name   string
		change func(*admissionv1.AdmissionRequest)
		want   string
	}{
		{"by its name", func(*admissionv1.AdmissionRequest) {}, "HTTPRoute default/web"},
		{"a deletion of a collection", func(r *admissionv1.AdmissionRequest) { r.Name, r.OldObject = "", named("old") }, "HTTPRoute default/old"},
		{"a creation with a generated name", func(r *admissionv1.AdmissionRequest) { r.Name, r.Object = "", named("new") }, "HTTPRoute default/new"},
		{"nothing", func(r *admissionv1.AdmissionRequest) { r.Name, r.Object.Raw = "", []byte("7") }, "HTTPRoute default/"},
		{"a namespace is in none", func(r *admissionv1.AdmissionRequest) { r.Kind.Kind, r.Name = "Namespace", "default" }, "Namespace default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request()
			tt.change(r)
			if got := objectOf(r).String(); got != tt.want {
				t.Errorf("want %q, got %q", tt.want, got)
			}
		})
	}
}
