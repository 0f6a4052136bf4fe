// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/webhook"
)

// enrolled is a world with an enrolled Gateway and Service, both companions running.
func enrolled() (policy.World, error) {
	w, err := empty()
	running := mesh.CompanionState{Live: true, Ready: true}
	w.View.Ingresses = []mesh.Ingress{{
		AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "gw", Strategy: mesh.StrategyDaemonSet,
		Invoke: mesh.InvokePrefix, Companion: running,
	}}
	w.View.Apps = []mesh.App{{
		AppRef: mesh.AppRef{Namespace: "default", ID: "web"}, Service: "web", Port: 80, Protocol: "http",
		Strategy: mesh.StrategyDeployment, Replicas: 1, Companion: running,
	}}
	w.View.Services = []mesh.Service{{Name: mesh.Name{Namespace: "default", Name: "web"}}}
	return w, err
}

func route() string {
	return minimal(func(r map[string]any) {
		inRequest("resource", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "resource": "httproutes"})(r)
		inRequest("kind", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "kind": "HTTPRoute"})(r)
		inRequest("object", map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": "web", "namespace": "default"},
			"spec": map[string]any{
				"parentRefs": []any{map[string]any{"name": "gw"}},
				"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "web", "port": 80}}}},
			},
		})(r)
	})
}

func respond(t *testing.T, e edge, path, body string) *admissionv1.AdmissionResponse {
	t.Helper()
	got := e.post(path, "application/json", strings.NewReader(body))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(got.Body.Bytes(), &review); err != nil || got.Code != http.StatusOK || review.Response == nil {
		t.Fatalf("HTTP %d, %v: %s", got.Code, err, got.Body)
	}
	return review.Response
}

// TestRouteBehindItsEnrolment: a route that arrives before the caches know of its Gateway and Service is mutated all the same.
func TestRouteBehindItsEnrolment(t *testing.T) {
	w := &worlds{cached: empty, live: enrolled}
	e := newEdge(t, w)
	response := respond(t, e, webhook.PathMutate, route())
	if !response.Allowed || !strings.Contains(string(response.Patch), "ingress-dapr") {
		t.Errorf("allowed %v, patch %s", response.Allowed, response.Patch)
	}
	if w.liveLoads != 1 {
		t.Errorf("%d live loads, want 1", w.liveLoads)
	}
}

// TestRouteOfNoEnrolment: a route of a Gateway that is not enrolled is decided about with a look at that, and not at all if that fails.
func TestRouteOfNoEnrolment(t *testing.T) {
	w := &worlds{cached: empty, live: enrolled, seen: true}
	response := respond(t, newEdge(t, w), webhook.PathMutate, route())
	if !response.Allowed || len(response.Patch) > 0 || w.liveLoads != 0 || w.glances != 1 {
		t.Errorf("allowed %v, patch %s, %d live loads and %d looks, want none and 1", response.Allowed, response.Patch, w.liveLoads, w.glances)
	}
	w.broken = errors.New("no API server")
	got := newEdge(t, w).post(webhook.PathMutate, "application/json", strings.NewReader(route()))
	if got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), "look for enrolments of HTTPRoute default/web: no API server") {
		t.Errorf("HTTP %d: %s", got.Code, got.Body)
	}
}

func TestRouteOfKnownEnrolmentIsNotReadLive(t *testing.T) {
	w := &worlds{cached: enrolled, live: func() (policy.World, error) { return policy.World{}, errors.New("must not be read") }}
	response := respond(t, newEdge(t, w), webhook.PathMutate, route())
	if !response.Allowed || len(response.Patch) == 0 || w.cachedLoads != 1 || w.glances != 0 {
		t.Errorf("allowed %v, patch %s, %d loads", response.Allowed, response.Patch, w.cachedLoads)
	}
}

// aimed is a route to the ingress companion, already mutated, as the API server sends it for validation.
func aimed(t *testing.T) string {
	t.Helper()
	return minimal(func(r map[string]any) {
		inRequest("resource", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "resource": "httproutes"})(r)
		inRequest("kind", map[string]any{"group": "gateway.networking.k8s.io", "version": "v1", "kind": "HTTPRoute"})(r)
		inRequest("object", map[string]any{
			"metadata": map[string]any{"name": "web", "namespace": "default"},
			"spec": map[string]any{
				"parentRefs": []any{map[string]any{"name": "gw"}},
				"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "ingress-dapr", "port": 3500}}}},
			},
		})(r)
	})
}

// TestStaleCacheDoesNotRefuse: what the caches refuse and the API server's own state admits is admitted, and the other way round
// the API server's state decides.
func TestStaleCacheDoesNotRefuse(t *testing.T) {
	w := &worlds{cached: enrolled, live: empty}
	e := newEdge(t, w)
	if response := respond(t, e, webhook.PathValidate, aimed(t)); !response.Allowed {
		t.Errorf("refused on stale data: %+v", response.Result)
	}
	if w.liveLoads != 1 {
		t.Errorf("%d live loads, want 1", w.liveLoads)
	}
	w.live = enrolled
	response := respond(t, e, webhook.PathValidate, aimed(t))
	if response.Allowed || response.Result.Code != 403 || !strings.Contains(response.Result.Message, "[DPR208]") {
		t.Errorf("allowed %v: %+v", response.Allowed, response.Result)
	}
	want := []string{
		"daprise_admission_decisions_total code= decision=allow operation=CREATE resource=httproutes: 1",
		"daprise_admission_decisions_total code=DPR208 decision=deny operation=CREATE resource=httproutes: 1",
		"daprise_live_reads_total resource=httproutes: 2",
	}
	if diff := cmp.Diff(want, counters(t, e)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := strings.Count(e.log.String(), `"msg":"refused"`); n != 1 {
		t.Errorf("%d lines for one refusal:\n%s", n, e.log)
	}
}

// TestRefusalNeedsALiveRead: if the API server cannot be read, a request is neither refused nor admitted.
func TestRefusalNeedsALiveRead(t *testing.T) {
	e := newEdge(t, &worlds{cached: enrolled, live: func() (policy.World, error) { return policy.World{}, errors.New("no API server") }})
	got := e.post(webhook.PathValidate, "application/json", strings.NewReader(aimed(t)))
	checkStatus(t, got, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: 500, Reason: metav1.StatusReasonInternalError,
		Message: "daprise-webhook: request u1: load the world of HTTPRoute default/web: no API server", Details: &metav1.StatusDetails{UID: "u1"},
	})
}

// TestInvalidAnnotation: malformed input is a 422 with the field's path, told once, by validation.
func TestInvalidAnnotation(t *testing.T) {
	body := minimal(inRequest("object", map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "web", "namespace": "default", "annotations": map[string]any{"daprise.dev/enabled": "yes"}},
		"spec":     map[string]any{"selector": map[string]any{"a": "b"}, "ports": []any{map[string]any{"port": 80}}},
	}))
	e := newEdge(t, &worlds{cached: empty, live: empty})
	if response := respond(t, e, webhook.PathMutate, body); !response.Allowed || response.Patch != nil {
		t.Errorf("mutated: %+v", response)
	}
	response := respond(t, e, webhook.PathValidate, body)
	if response.Allowed || response.Result.Code != 422 || response.Result.Reason != metav1.StatusReasonInvalid {
		t.Fatalf("validated: %+v", response)
	}
	var fields []string
	for _, cause := range response.Result.Details.Causes {
		fields = append(fields, cause.Field)
	}
	if diff := cmp.Diff([]string{"metadata.annotations[daprise.dev/enabled]"}, fields); diff != "" {
		t.Errorf("fields: -want +got:\n%s", diff)
	}
}

// TestUnknownResourcesShareASeries: no caller can grow the number of series.
func TestUnknownResourcesShareASeries(t *testing.T) {
	e := newEdge(t, &worlds{cached: empty, live: empty})
	for _, resource := range []string{"a", "b", "c"} {
		e.post(webhook.PathMutate, "application/json", strings.NewReader(minimal(inRequest("resource", map[string]any{"version": "v1", "resource": resource}))))
	}
	want := []string{"daprise_admission_decisions_total code= decision=error operation=CREATE resource=unknown: 3"}
	if diff := cmp.Diff(want, counters(t, e)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// counters are all counters as lines, sorted.
func counters(t *testing.T, e edge) []string {
	t.Helper()
	families, err := e.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetCounter() == nil {
				continue
			}
			line := family.GetName()
			for _, label := range metric.GetLabel() {
				line += " " + label.GetName() + "=" + label.GetValue()
			}
			lines = append(lines, fmt.Sprintf("%s: %g", line, metric.GetCounter().GetValue()))
		}
	}
	return lines
}
