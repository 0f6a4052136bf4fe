// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

func TestNeedOfHTTPRoute(t *testing.T) {
	tests := []struct {
		name  string
		route string
		want  mesh.Need
	}{
		{
			name: "parents and backends, with and without namespace",
			route: `
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: g}, {name: g, namespace: infra}, {name: s, kind: Service, group: ""}, {name: x, kind: Other}]
  rules:
  - backendRefs: [{name: a, port: 80}, {name: b, namespace: other, port: 80}, {name: c, kind: ServiceImport}]
`,
			want: mesh.Need{
				Namespaces: []string{"infra", "other", "shop"},
				Gateways:   []mesh.Name{{Namespace: "infra", Name: "g"}, {Namespace: "shop", Name: "g"}},
				Services:   []mesh.Name{{Namespace: "other", Name: "b"}, {Namespace: "shop", Name: "a"}, {Namespace: "shop", Name: "s"}},
				Narrow:     true,
			},
		},
		{
			name: "targets of rewritten rules, mirrors and the record",
			route: `
metadata:
  name: r
  namespace: shop
  annotations: {daprise.dev/original: '{"v":1,"rules":[{"backendRefs":[{"name":"w","namespace":"recorded"}]}]}'}
spec:
  rules:
  - filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/a.path/method//}}}
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Dapr-App-Id, value: a.header}]}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: m, namespace: mirror, port: 1}}}
`,
			want: mesh.Need{
				Namespaces: []string{"header", "mirror", "path", "recorded", "shop"},
				Services:   []mesh.Name{{Namespace: "mirror", Name: "m"}},
				Narrow:     true,
			},
		},
		{
			name:  "a broken record adds nothing",
			route: `metadata: {name: r, namespace: shop, annotations: {daprise.dev/original: "{"}}`,
			want:  mesh.Need{Namespaces: []string{"shop"}, Narrow: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var route gatewayv1.HTTPRoute
			if err := yaml.UnmarshalStrict([]byte(tt.route), &route); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, mesh.NeedOfHTTPRoute(&route)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNeedOfGRPCRoute(t *testing.T) {
	var route gatewayv1.GRPCRoute
	if err := yaml.UnmarshalStrict([]byte(`
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: g, namespace: infra}]
  rules:
  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: a.header}]}}]
    backendRefs: [{name: a, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: m, namespace: mirror}}}]}]
`), &route); err != nil {
		t.Fatal(err)
	}
	want := mesh.Need{
		Namespaces: []string{"header", "infra", "mirror", "shop"},
		Gateways:   []mesh.Name{{Namespace: "infra", Name: "g"}},
		Services:   []mesh.Name{{Namespace: "mirror", Name: "m"}, {Namespace: "shop", Name: "a"}},
		Narrow:     true,
	}
	if diff := cmp.Diff(want, mesh.NeedOfGRPCRoute(&route)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNeedOfOthers(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "a", Annotations: map[string]string{mesh.AnnotationCallers: "b, c.other,"},
	}}
	tests := []struct {
		name      string
		got, want mesh.Need
	}{
		{"enrolment with callers", mesh.NeedOfEnrolment(service), mesh.Need{Namespaces: []string{"other", "shop"}}},
		{"policy", mesh.NeedOfPolicy(service), mesh.Need{Namespaces: []string{"shop"}}},
		{"clusterwide policy", mesh.NeedOfPolicy(&corev1.Namespace{}), mesh.Need{AllNamespaces: true}},
		{"namespace", mesh.NeedOfNamespace("shop"), mesh.Need{Namespaces: []string{"shop"}, AllNamespaces: true}},
		{
			"union",
			mesh.NeedOfNamespace("shop").Union(mesh.NeedOfEnrolment(service)),
			mesh.Need{Namespaces: []string{"other", "shop"}, AllNamespaces: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
