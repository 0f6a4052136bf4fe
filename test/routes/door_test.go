// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/webhook"
)

// static is a World that is always the same.
type static struct{ world policy.World }

// Load implements webhook.Worlds.
func (s static) Load(context.Context, mesh.Need) (policy.World, error) { return s.world, nil }

// LoadLive implements webhook.Worlds.
func (s static) LoadLive(context.Context, string, mesh.Need) (policy.World, error) {
	return s.world, nil
}

// Unseen implements webhook.Worlds.
func (s static) Unseen(context.Context, mesh.Need, *mesh.View) (bool, error) { return false, nil }

// TestGoldensThroughTheServer sends every golden, the refused ones too, as an AdmissionReview to the server's handler: the answer is the
// golden's object or refusal.
func TestGoldensThroughTheServer(t *testing.T) {
	folders, err := filepath.Glob("../../mutate/testdata/route/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			g := readGolden(t, folder)
			response := served(t, g)
			refusal, err := os.ReadFile(filepath.Join(folder, "error.txt"))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if len(refusal) > 0 {
				if response.Allowed || len(response.Patch) > 0 {
					t.Fatalf("admitted: %s", response.Patch)
				}
				lines := func(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\n\n", "\n")) }
				if diff := cmp.Diff(lines(string(refusal)), lines(response.Result.Message)); diff != "" {
					t.Errorf("refusal (-golden +server):\n%s", diff)
				}
				return
			}
			if !response.Allowed {
				t.Fatalf("refused: %s", response.Result.Message)
			}
			out := g.in
			if len(response.Patch) > 0 {
				patch, err := jsonpatch.DecodePatch(response.Patch)
				if err != nil {
					t.Fatal(err)
				}
				if out, err = patch.Apply(g.in); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tree(t, g.out), tree(t, out)); diff != "" {
				t.Errorf("object (-golden +server):\n%s", diff)
			}
		})
	}
}

// served is the answer of the server's handler to a golden.
func served(t *testing.T, g golden) *admissionv1.AdmissionResponse {
	t.Helper()
	edge, err := webhook.New(webhook.Options{
		Worlds: static{policy.World{View: g.view, Set: policy.NewSet()}}, Config: g.view.Config,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	kind := metav1.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: g.kind}
	resource := metav1.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: strings.ToLower(g.kind) + "s"}
	request := &admissionv1.AdmissionRequest{
		UID: "1", Kind: kind, RequestKind: &kind, Resource: resource, RequestResource: &resource, Operation: admissionv1.Create,
		Name: "r", Namespace: shapeOf(t, g.in).Metadata.Namespace, Object: runtime.RawExtension{Raw: g.in}, DryRun: new(false),
	}
	if g.old != nil {
		request.Operation, request.OldObject = admissionv1.Update, runtime.RawExtension{Raw: g.old}
	}
	review := encoded(t, admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: request,
	})
	call := httptest.NewRequest(http.MethodPost, webhook.PathMutate, bytes.NewReader(review))
	call.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	edge.Handler().ServeHTTP(recorder, call)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		t.Fatalf("HTTP %d: %s", recorder.Code, recorder.Body)
	}
	return answer.Response
}

// TestSuppressedThroughTheServer wants a warning that the route's owner knows about to be kept from clients, until its day.
func TestSuppressedThroughTheServer(t *testing.T) {
	for until, want := range map[string]int{"2999-12-31": 0, "2020-12-31": 1} {
		g := readGolden(t, "../../mutate/testdata/route/regular-expression")
		object := tree(t, g.in)
		object["metadata"].(map[string]any)["annotations"] = map[string]any{mesh.AnnotationSuppress: "DPR206=we know until " + until}
		g.in = encoded(t, object)
		response := served(t, g)
		if !response.Allowed || len(response.Warnings) != want {
			t.Errorf("until %s: want %d warnings, got %v", until, want, response.Warnings)
		}
	}
}
