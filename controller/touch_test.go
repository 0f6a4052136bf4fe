// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// meshView is a View of one Gateway and one app, both enrolled and ready or not.
func meshView(ready bool) *mesh.View {
	state := mesh.CompanionState{Live: true, Ready: ready}
	return &mesh.View{
		Config:    mesh.DefaultConfig(),
		Apps:      []mesh.App{app(func(a *mesh.App) { a.Companion = state })},
		Ingresses: []mesh.Ingress{{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "gateway", Invoke: mesh.InvokePrefix, Companion: state}},
		Services:  []mesh.Service{{Name: mesh.Name{Namespace: "default", Name: "whoami"}}},
	}
}

func directRoute(t *testing.T, tweaks ...func(*gatewayv1.HTTPRoute)) *unstructured.Unstructured {
	t.Helper()
	r := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("default", "route")}
	r.ResourceVersion = "7"
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "gateway"}}
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{
		Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}}},
		BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
			Name: "whoami", Port: new(gatewayv1.PortNumber(80)),
		}}}},
	}}
	for _, tweak := range tweaks {
		tweak(r)
	}
	u, err := content(r, kindsWatched()[kindHTTPRoute])
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// admittedRoute is the route as admission would store it.
func admittedRoute(t *testing.T, route *unstructured.Unstructured, view *mesh.View) *unstructured.Unstructured {
	t.Helper()
	before, err := route.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	result, err := decide(route.GetKind(), before, view)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patched(before, result)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// revisionIn is the annotation in a touch; nil takes it away.
func revisionIn(t *testing.T, patch []byte) (version string, revision any) {
	t.Helper()
	var decoded map[string]map[string]any
	if err := json.Unmarshal(patch, &decoded); err != nil {
		t.Fatal(err)
	}
	if len(decoded) != 1 || len(decoded["metadata"]) != 2 {
		t.Errorf("the touch changes more than one annotation: %s", patch)
	}
	annotations, _ := decoded["metadata"]["annotations"].(map[string]any)
	if len(annotations) != 1 {
		t.Errorf("the touch changes more than one annotation: %s", patch)
	}
	version, _ = decoded["metadata"]["resourceVersion"].(string)
	return version, annotations[mesh.AnnotationRevision]
}

func TestReadmitJoinsAndRestores(t *testing.T) {
	direct := directRoute(t)
	r, err := readmit(direct, meshView(true))
	if err != nil || r.patch == nil {
		t.Fatalf("a direct route of ready companions: patch %s, error %v", r.patch, err)
	}
	through := admittedRoute(t, direct, meshView(true))
	version, revision := revisionIn(t, r.patch)
	if version != "7" || revision != through.GetAnnotations()[mesh.AnnotationRevision] || revision == nil {
		t.Errorf("the touch names version %q and revision %v; admission writes %v", version, revision, through.GetAnnotations())
	}
	if r, err := readmit(through, meshView(true)); err != nil || r.patch != nil {
		t.Errorf("what admission stored is touched again: patch %s, error %v", r.patch, err)
	}
	r, err = readmit(through, &mesh.View{Config: mesh.DefaultConfig()})
	if err != nil || r.patch == nil {
		t.Fatalf("a route of nothing enrolled: patch %s, error %v", r.patch, err)
	}
	if _, revision := revisionIn(t, r.patch); revision != nil {
		t.Errorf("a restored route keeps revision %v", revision)
	}
	restored := admittedRoute(t, through, &mesh.View{Config: mesh.DefaultConfig()})
	if diff := cmp.Diff(direct.Object["spec"], restored.Object["spec"]); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
}

func TestReadmitWaits(t *testing.T) {
	r, err := readmit(directRoute(t), meshView(false))
	if err != nil || r.patch != nil || len(r.refused) > 0 {
		t.Errorf("a joining route: patch %s, refused %v, error %v", r.patch, r.refused, err)
	}
	if len(r.joining) == 0 {
		t.Error("a joining route is not said to be joining")
	}
}

// Rules that cannot be rewritten stay as they are, and it is said why.
func TestReadmitLeavesUnfitRulesAlone(t *testing.T) {
	mixed := directRoute(t, func(r *gatewayv1.HTTPRoute) {
		plain := r.Spec.Rules[0].BackendRefs[0]
		plain.Name = "plain"
		r.Spec.Rules[0].BackendRefs = append(r.Spec.Rules[0].BackendRefs, plain)
	})
	r, err := readmit(mixed, meshView(true))
	if err != nil || r.patch != nil || len(r.refused) > 0 || len(r.unfit) != 1 || r.unfit[0].Code != mesh.CodeMixedBackends {
		t.Errorf("patch %s, refused %v, unfit %v, error %v", r.patch, r.refused, r.unfit, err)
	}
}

func TestReadmitLeavesOthersAlone(t *testing.T) {
	elsewhere := directRoute(t, func(r *gatewayv1.HTTPRoute) { r.Spec.ParentRefs[0].Name = "plain" })
	out := directRoute(t, func(r *gatewayv1.HTTPRoute) { r.Annotations = map[string]string{mesh.AnnotationEnabled: "false"} })
	gamma := directRoute(t, func(r *gatewayv1.HTTPRoute) {
		r.Spec.ParentRefs[0] = gatewayv1.ParentReference{Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: "whoami"}
	})
	for name, route := range map[string]*unstructured.Unstructured{"another Gateway": elsewhere, "opted out": out, "of a Service": gamma} {
		before := route.DeepCopy()
		r, err := readmit(route, meshView(true))
		if err != nil || r.patch != nil || len(r.refused) > 0 || len(r.unfit) > 0 {
			t.Errorf("%s: patch %s, refused %v, error %v", name, r.patch, r.refused, err)
		}
		if diff := cmp.Diff(before.Object, route.Object); diff != "" {
			t.Errorf("%s: the argument was modified:\n%s", name, diff)
		}
	}
}
