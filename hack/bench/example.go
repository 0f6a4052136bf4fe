// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

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
	return s.world, errors.New("the example needs no live read")
}

// Unseen implements webhook.Worlds.
func (s static) Unseen(context.Context, mesh.Need, *mesh.View) (bool, error) { return false, nil }

const namespace = "default"

// example is the whoami example with both companions ready.
func example() (policy.World, error) {
	data, err := os.ReadFile(filepath.Join("examples", "whoami", "04-policies.yaml"))
	if err != nil {
		return policy.World{}, fmt.Errorf("read the example: %w", err)
	}
	var policies []*policy.Policy
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		cnp := &ciliumv2.CiliumNetworkPolicy{}
		if err := yaml.Unmarshal(document, cnp); err != nil {
			return policy.World{}, fmt.Errorf("decode the example's policies: %w", err)
		}
		policies = append(policies, policy.CompileCNP(cnp))
	}
	running := mesh.CompanionState{Live: true, Ready: true}
	app := mesh.App{
		AppRef:  mesh.AppRef{Namespace: namespace, ID: "whoami"},
		Owner:   mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: "whoami"}},
		Service: "whoami", Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true,
		Selector: map[string]string{"app": "whoami"}, Companion: running,
	}
	ingress := mesh.Ingress{
		AppRef:  mesh.AppRef{Namespace: namespace, ID: "ingress"},
		Owner:   mesh.Owner{Object: mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: namespace, Name: "default-gateway"}},
		Gateway: "default-gateway", Strategy: mesh.StrategyDaemonSet, Invoke: mesh.InvokePrefix, Companion: running,
	}
	view := &mesh.View{
		Config:     mesh.DefaultConfig(),
		Cilium:     mesh.Cilium{Version: "1.20.2"},
		Namespaces: map[string]map[string]string{namespace: {mesh.LabelNamespaceName: namespace}},
		Apps:       []mesh.App{app},
		Ingresses:  []mesh.Ingress{ingress},
		Services: []mesh.Service{{
			Name: mesh.Name{Namespace: namespace, Name: "whoami"}, Type: corev1.ServiceTypeClusterIP,
			Selector: app.Selector, Ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}},
		}},
	}
	return policy.World{View: view, Set: policy.NewSet(policies...), Answers: policy.NewAnswers()}, nil
}

// reviews are the AdmissionReviews of the example's route: as its author writes it, and as a handler mutates it.
func reviews(handler http.Handler) (mutate, validate []byte, err error) {
	data, err := os.ReadFile(filepath.Join("examples", "whoami", "05-route.yaml"))
	if err != nil {
		return nil, nil, fmt.Errorf("read the example: %w", err)
	}
	route, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, nil, fmt.Errorf("decode the example's route: %w", err)
	}
	if mutate, err = review(route); err != nil {
		return nil, nil, err
	}
	request := httptest.NewRequest(http.MethodPost, webhook.PathMutate, bytes.NewReader(mutate))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		return nil, nil, fmt.Errorf("mutate the example's route: HTTP %d: %s", recorder.Code, recorder.Body)
	}
	mutated, err := patched(route, answer.Response.Patch)
	if err != nil {
		return nil, nil, fmt.Errorf("mutate the example's route: %w: %s", err, recorder.Body)
	}
	validate, err = review(mutated)
	return mutate, validate, err
}

// patched is an object with a JSON patch applied.
func patched(object, encoded []byte) ([]byte, error) {
	patch, err := jsonpatch.DecodePatch(encoded)
	if err != nil {
		return nil, fmt.Errorf("decode a patch: %w", err)
	}
	after, err := patch.Apply(object)
	if err != nil {
		return nil, fmt.Errorf("apply a patch: %w", err)
	}
	return after, nil
}

func review(route []byte) ([]byte, error) {
	kind := metav1.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	resource := metav1.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: "httproutes"}
	data, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "6c2f9a3e-53b2-4f2e-9d1c-6a4f0f3a7b11", Kind: kind, RequestKind: &kind, Resource: resource, RequestResource: &resource,
			Name: "whoami-route", Namespace: namespace, Operation: admissionv1.Create,
			UserInfo: authenticationv1.UserInfo{Username: "developer", Groups: []string{"system:authenticated"}},
			Object:   runtime.RawExtension{Raw: route}, DryRun: new(false),
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1","fieldManager":"kubectl-client-side-apply"}`)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the review: %w", err)
	}
	return data, nil
}
