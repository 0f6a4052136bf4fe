// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

func configuration(t *testing.T, name, spec string) mesh.Configuration {
	t.Helper()
	object := &unstructured.Unstructured{}
	text := "{apiVersion: dapr.io/v1alpha1, kind: Configuration, metadata: {namespace: shop, name: " + name + "}, spec: " + spec + "}"
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return mesh.ConfigurationOf(object)
}

// TestConfigurationAdmits follows dapr pkg/acl; hack/injector compares the two.
func TestConfigurationAdmits(t *testing.T) {
	const cart = "{appId: cart, namespace: shop, trustDomain: public"
	tests := []struct {
		name, spec, domain string
		caller, anybody    bool
	}{
		{name: "nothing said", spec: "{}", caller: true, anybody: true},
		{name: "an access control that says nothing", spec: "{accessControl: {}}", caller: true, anybody: true},
		{name: "allow by default", spec: "{accessControl: {defaultAction: Allow}}", caller: true, anybody: true},
		{name: "deny by default", spec: "{accessControl: {defaultAction: deny}}"},
		{name: "no default and policies", spec: "{accessControl: {policies: [" + cart + "}]}}"},
		{name: "no default and a trust domain", spec: "{accessControl: {trustDomain: td}}"},
		{name: "allowed by name", spec: "{accessControl: {defaultAction: deny, policies: [" + cart + ", defaultAction: allow}]}}", caller: true},
		{name: "denied by name", spec: "{accessControl: {defaultAction: allow, policies: [" + cart + ", defaultAction: deny}]}}", anybody: true},
		{name: "named without an action", spec: "{accessControl: {defaultAction: allow, policies: [" + cart + "}]}}", caller: true, anybody: true},
		{name: "some operations", spec: "{accessControl: {defaultAction: deny, policies: [" + cart + ", defaultAction: deny, operations: [{name: /a, action: deny}, {name: /b, action: allow}]}]}}", caller: true},
		{name: "of another trust domain", domain: "td", spec: "{accessControl: {defaultAction: deny, policies: [" + cart + ", defaultAction: allow}]}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.domain == "" {
				tt.domain = mesh.PublicTrustDomain
			}
			c := configuration(t, "c", tt.spec)
			if got := c.Admits(mesh.AppRef{Namespace: "shop", ID: "cart"}, tt.domain); got != tt.caller {
				t.Errorf("admits the caller: %v", got)
			}
			if got := c.AdmitsAnybody(); got != tt.anybody {
				t.Errorf("admits anybody: %v", got)
			}
		})
	}
}

func TestConfigurationContent(t *testing.T) {
	a, b := configuration(t, "c", "{tracing: {samplingRate: '1'}, mtls: {enabled: true}}"), configuration(t, "c", "{mtls: {enabled: true}, tracing: {samplingRate: '1'}}")
	if a.Content != b.Content {
		t.Errorf("the order of fields counts: %s, %s", a.Content, b.Content)
	}
	if other := configuration(t, "c", "{tracing: {samplingRate: '0'}}"); other.Content == a.Content {
		t.Error("a change is not seen")
	}
}

func TestTrustDomain(t *testing.T) {
	app := func(id, name string) mesh.App {
		return mesh.App{AppRef: mesh.AppRef{Namespace: "shop", ID: id}, Dapr: map[string]string{mesh.AnnotationConfig: name}}
	}
	view := &mesh.View{
		Apps:           []mesh.App{app("own", "td"), app("none", ""), app("silent", "plain"), app("lost", "absent")},
		Configurations: []mesh.Configuration{configuration(t, "td", "{accessControl: {trustDomain: td.example}}"), configuration(t, "plain", "{}")},
	}
	for id, want := range map[string]string{"own": "td.example", "none": "public", "silent": "public", "lost": "public", "stranger": "public"} {
		if got := view.TrustDomain(mesh.AppRef{Namespace: "shop", ID: id}); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func TestCheckConfiguration(t *testing.T) {
	callers := []mesh.AppRef{{Namespace: "shop", ID: "cart"}, {Namespace: "infra", ID: "ingress"}}
	many := append(slices.Clone(callers), mesh.AppRef{Namespace: "shop", ID: "a"}, mesh.AppRef{Namespace: "shop", ID: "b"}, mesh.AppRef{Namespace: "shop", ID: "c"})
	const both = "{accessControl: {defaultAction: deny, policies: [{appId: cart, namespace: shop, trustDomain: public, defaultAction: allow}, {appId: ingress, namespace: infra, trustDomain: public, defaultAction: allow}]}}"
	tests := []struct {
		name, names, spec string
		callers           []mesh.AppRef
		encryption        mesh.Encryption
		want              []string
	}{
		{name: "none named", callers: callers},
		{name: "says the same", names: "c", spec: both, callers: callers},
		{name: "absent", names: "other", want: []string{"Configuration shop/other does not exist: Dapr does not start without it, so that the companion is not started or rolled"}},
		{name: "refuses one", names: "c", spec: strings.Replace(both, "infra", "elsewhere", 1), callers: callers, want: []string{"Configuration shop/c refuses ingress.infra, which may call the app"}},
		{name: "refuses many", names: "c", spec: "{accessControl: {defaultAction: deny}}", callers: many, want: []string{"Configuration shop/c refuses a.shop, b.shop, c.shop and 2 more, which may call the app"}},
		{name: "lets in everybody", names: "c", spec: "{}", callers: callers, want: []string{"Configuration shop/c lets in every caller, so that network policy alone says who may call the app"}},
		{name: "without identities", names: "c", spec: both, callers: callers, encryption: mesh.EncryptionCilium, want: []string{"Configuration shop/c refuses cart.shop and ingress.infra, which may call the app"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			view := &mesh.View{}
			view.Config.Dapr.Encryption = tt.encryption
			if tt.spec != "" {
				view.Configurations = []mesh.Configuration{configuration(t, "c", tt.spec)}
			}
			app := mesh.App{AppRef: mesh.AppRef{Namespace: "shop", ID: "whoami"}, Dapr: map[string]string{mesh.AnnotationConfig: tt.names}}
			var got []string
			for _, f := range view.CheckConfiguration(app, tt.callers) {
				got = append(got, f.Message)
				if f.Severity != mesh.Warn || f.Code != mesh.CodeConfiguration || f.Fix == "" {
					t.Errorf("%+v", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
