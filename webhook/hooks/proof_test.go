// SPDX-License-Identifier: Apache-2.0

package hooks_test

import (
	"errors"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/webhook/hooks"
)

// TestProven: only a refusal of our own webhook, for the reason that the object was made for, is a proof.
func TestProven(t *testing.T) {
	refusal := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
	}
	const ours = `admission webhook "enrolment.validate.daprise.dev" denied the request: Service default/daprise-proof refused [DPR308]`
	for _, c := range []struct {
		name   string
		answer error
		want   string
	}{
		{"refused by us", refusal(http.StatusForbidden, metav1.StatusReasonForbidden, ours), ""},
		{"admitted", nil, "a Service that must be refused was admitted: the API server did not ask enrolment.validate.daprise.dev"},
		{"refused by somebody else", refusal(http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "other.example.com" denied the request: no`),
			`the Service that must be refused was answered otherwise than by enrolment.validate.daprise.dev: admission webhook "other.example.com" denied the request: no`},
		{"refused by us for another reason", refusal(http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "enrolment.validate.daprise.dev" denied the request: [DPR301]`),
			`the Service that must be refused was answered otherwise than by enrolment.validate.daprise.dev: admission webhook "enrolment.validate.daprise.dev" denied the request: [DPR301]`},
		{"we were called and failed", refusal(http.StatusInternalServerError, metav1.StatusReasonInternalError, "failed calling webhook"),
			"the Service that must be refused was answered otherwise than by enrolment.validate.daprise.dev: failed calling webhook"},
		{"no API server", errors.New("connection refused"),
			"the Service that must be refused was answered otherwise than by enrolment.validate.daprise.dev: connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := hooks.Proven(c.answer); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
