// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// TestReadRoute: of every golden route the same is read as its Go type holds, and the same is needed.
func TestReadRoute(t *testing.T) {
	files, err := filepath.Glob("../mutate/testdata/route/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	read := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var typed gatewayv1.HTTPRoute
		if yaml.Unmarshal(data, &typed) != nil || typed.Kind != mesh.KindHTTPRoute {
			continue
		}
		read++
		raw, err := json.Marshal(typed)
		if err != nil {
			t.Fatal(err)
		}
		want := mesh.ObjectOfHTTPRoute(&typed)
		got, err := mesh.ReadRoute(raw)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if diff := cmp.Diff(mesh.NeedOfHTTPRoute(&typed), got.Need()); diff != "" {
			t.Errorf("%s, need (-want +got):\n%s", file, diff)
		}
	}
	if read < 50 {
		t.Errorf("%d routes read, want 50 at least", read)
	}
}

// TestMentionedDepth: a record of originals that is nested without end is not read without end.
func TestMentionedDepth(t *testing.T) {
	route := func(record string) mesh.Need {
		return mesh.NeedOfHTTPRoute(&gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Annotations: map[string]string{mesh.AnnotationOriginal: record}}})
	}
	mention := func(depth int) string {
		return strings.Repeat(`[`, depth) + `{"namespace":"other"}` + strings.Repeat(`]`, depth)
	}
	if diff := cmp.Diff([]string{"other", "shop"}, route(" "+mention(15)).Namespaces); diff != "" {
		t.Errorf("16 deep (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shop"}, route(mention(100_000)).Namespaces); diff != "" {
		t.Errorf("100,000 deep (-want +got):\n%s", diff)
	}
}

func TestDestinations(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		want       []string
	}{
		{"backends", `{"rules": [{"backendRefs": [{"name": "a"}, {"name": "b", "namespace": "other"}]}]}`, []string{"other", "shop"}},
		{
			"an app, through the companion of another namespace", `{"parentRefs": [{"name": "g", "namespace": "infra"}], "rules": [{
				"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1.0/invoke/a.apps/method//"}}}],
				"backendRefs": [{"name": "ingress-dapr", "namespace": "infra"}]}]}`, []string{"apps"},
		},
		{
			"apps of a divided rule", `{"rules": [{"backendRefs": [{"name": "ingress-dapr", "namespace": "infra", "filters": [
				{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "dapr-app-id", "value": "a.apps"}]}}]}]}]}`, []string{"apps"},
		},
		{
			"a mirror", `{"rules": [{"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "m", "namespace": "mirror"}}}]}]}`,
			[]string{"mirror"},
		},
		{"a GAMMA parent", `{"parentRefs": [{"name": "s", "kind": "Service", "group": "", "namespace": "apps"}]}`, []string{"apps"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			route, err := mesh.ReadRoute([]byte(`{"metadata": {"namespace": "shop"}, "spec": ` + tt.spec + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, route.Destinations()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
