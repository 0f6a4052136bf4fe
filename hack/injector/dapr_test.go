// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/acl"
	"github.com/dapr/dapr/pkg/api/http/endpoints"
	configurationv1alpha1 "github.com/dapr/dapr/pkg/apis/configuration/v1alpha1"
	daprconfig "github.com/dapr/dapr/pkg/config"
	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// source parses a file of Dapr's own module.
func source(t *testing.T, pkg, file string) *ast.File {
	t.Helper()
	found, err := build.Import("github.com/dapr/dapr/"+pkg, ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(found.Dir, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func stringsIn(node ast.Node) []string {
	var values []string
	ast.Inspect(node, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				values = append(values, value)
			}
		}
		return true
	})
	slices.Sort(values)
	return values
}

func TestKeysAreDapr(t *testing.T) {
	var ours []string
	for _, key := range companion.Keys() {
		ours = append(ours, key.Name)
	}
	slices.Sort(ours)
	if diff := cmp.Diff(stringsIn(source(t, "pkg/injector/annotations", "annotations.go")), ours); diff != "" {
		t.Errorf("keys (-dapr +ours):\n%s", diff)
	}
}

func TestDaprdReadsTheArguments(t *testing.T) {
	withKeys := whoami(mappedKeys())
	moved := whoami(nil)
	moved.Port, moved.Protocol = 50001, "grpc"
	tests := []struct {
		name                                    string
		objects                                 []runtime.Object
		appID, appPort, protocol, channel, grpc string
		mtls, metrics                           bool
		body, buffer                            int
	}{
		{name: "app", objects: companion.App(whoami(nil), input()), appID: "whoami", appPort: "80", protocol: "http",
			channel: "whoami.default.svc.cluster.local", grpc: "50001", mtls: true, metrics: true, body: 4 << 20, buffer: 4 << 10},
		{name: "app on a port of daprd's", objects: companion.App(moved, input()), appID: "whoami", appPort: "50001", protocol: "grpc",
			channel: "whoami.default.svc.cluster.local", grpc: "50011", mtls: true, metrics: true, body: 4 << 20, buffer: 4 << 10},
		{name: "app with every key", objects: companion.App(withKeys, input()), appID: "whoami", appPort: "80", protocol: "http",
			channel: "whoami.default.svc.cluster.local", grpc: "50001", mtls: true, metrics: true, body: 16 << 20, buffer: 64 << 10},
		{name: "ingress", objects: companion.Ingress(ingress(), input()), appID: "ingress", protocol: "http",
			channel: "127.0.0.1", grpc: "50001", mtls: true, metrics: true, body: 4 << 20, buffer: 32 << 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// An argument that daprd does not know ends the process.
			got, err := options.New(podSpec(t, tt.objects).Containers[0].Args[1:])
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range []struct{ what, got, want string }{
				{"app-id", got.AppID, tt.appID},
				{"app-port", got.AppPort, tt.appPort},
				{"app-protocol", got.AppProtocol, tt.protocol},
				{"app-channel-address", got.AppChannelAddress, tt.channel},
				{"mode", got.Mode, "kubernetes"},
				{"public port", got.DaprPublicPort, "3501"},
				{"gRPC port", got.DaprAPIGRPCPort, tt.grpc},
				{"internal port", got.DaprInternalGRPCPort, "50002"},
				{"metrics port", got.Metrics.Port(), "9090"},
				{"mTLS", strconv.FormatBool(got.EnableMTLS), strconv.FormatBool(tt.mtls)},
				{"metrics", strconv.FormatBool(got.Metrics.Enabled()), strconv.FormatBool(tt.metrics)},
				{"secret store off", strconv.FormatBool(got.DisableBuiltinK8sSecretStore), "true"},
				{"max body size", strconv.Itoa(got.MaxRequestSize), strconv.Itoa(tt.body)},
				{"read buffer size", strconv.Itoa(got.ReadBufferSize), strconv.Itoa(tt.buffer)},
			} {
				if check.got != check.want {
					t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
				}
			}
		})
	}
}

// configuration is ours, read strictly into Dapr's own type, and its spec as daprd reads it from the operator.
func configuration(t *testing.T, objects []runtime.Object) daprconfig.ConfigurationSpec {
	t.Helper()
	i := slices.IndexFunc(objects, func(o runtime.Object) bool { return o.GetObjectKind().GroupVersionKind().Kind == "Configuration" })
	if i < 0 {
		t.Fatal("no Configuration")
	}
	content, err := companion.Content(objects[i])
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(content.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, &configurationv1alpha1.Configuration{}); err != nil {
		t.Fatal(err)
	}
	var read daprconfig.Configuration
	if err := yaml.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	return read.Spec
}

func TestAccessControl(t *testing.T) {
	alone := input()
	alone.Callers = nil
	tests := []struct {
		name   string
		input  companion.Input
		caller string
		want   bool
	}{
		{"the ingress companion", input(), "spiffe://public/ns/default/ingress", true},
		{"a caller with its own trust domain", input(), "spiffe://shop.example.com/ns/shop/cart", true},
		{"that caller's name in the public trust domain", input(), "spiffe://public/ns/shop/cart", false},
		{"the ingress's name in another namespace", input(), "spiffe://public/ns/other/ingress", false},
		{"another app", input(), "spiffe://public/ns/default/other", false},
		{"the app itself, as a caller", input(), "spiffe://public/ns/default/whoami", false},
		{"anybody, where there are no callers", alone, "spiffe://public/ns/default/ingress", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, isHTTP := range []bool{true, false} {
				spec := configuration(t, companion.App(whoami(nil), tt.input))
				list, err := acl.ParseAccessControlSpec(spec.AccessControlSpec, isHTTP)
				if err != nil {
					t.Fatal(err)
				}
				got, why := acl.ApplyAccessControlPolicies(callFrom(t, tt.caller), "/any", commonv1.HTTPExtension_POST, isHTTP, list)
				if got != tt.want {
					t.Errorf("HTTP %v: allowed %v: %s", isHTTP, got, why)
				}
			}
		})
	}
}

// TestAUsersAccessControlIsReadAsDaprDoes: mesh.Configuration says of each caller what daprd would, where operations have no part in it.
func TestAUsersAccessControlIsReadAsDaprDoes(t *testing.T) {
	const cart = "{appId: cart, namespace: shop, trustDomain: td.example"
	callers := []struct {
		ref    mesh.AppRef
		domain string
	}{
		{mesh.AppRef{Namespace: "shop", ID: "cart"}, "td.example"}, {mesh.AppRef{Namespace: "shop", ID: "cart"}, "public"},
		{mesh.AppRef{Namespace: "other", ID: "cart"}, "td.example"}, {mesh.AppRef{Namespace: "shop", ID: "other"}, "td.example"},
	}
	for _, spec := range []string{
		"{}", "{accessControl: {}}", "{accessControl: {defaultAction: Allow}}", "{accessControl: {defaultAction: deny}}", "{accessControl: {trustDomain: td}}",
		"{accessControl: {policies: [" + cart + "}]}}",
		"{accessControl: {policies: [" + cart + ", defaultAction: allow}]}}",
		"{accessControl: {defaultAction: deny, policies: [" + cart + ", defaultAction: allow}]}}",
		"{accessControl: {defaultAction: allow, policies: [" + cart + ", defaultAction: deny}]}}",
		"{accessControl: {defaultAction: allow, policies: [" + cart + "}]}}",
	} {
		text := []byte("{apiVersion: dapr.io/v1alpha1, kind: Configuration, metadata: {namespace: default, name: c}, spec: " + spec + "}")
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			t.Fatal(err)
		}
		var read daprconfig.Configuration
		if err := yaml.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		list, err := acl.ParseAccessControlSpec(read.Spec.AccessControlSpec, true)
		if err != nil {
			t.Fatal(err)
		}
		ours := mesh.ConfigurationOf(object)
		for _, caller := range callers {
			identity := "spiffe://" + caller.domain + "/ns/" + caller.ref.Namespace + "/" + caller.ref.ID
			want, _ := acl.ApplyAccessControlPolicies(callFrom(t, identity), "/any", commonv1.HTTPExtension_POST, true, list)
			if got := ours.Admits(caller.ref, caller.domain); got != want {
				t.Errorf("%s: %s is admitted: %v, by Dapr %v", spec, identity, got, want)
			}
		}
	}
}

func TestNoAccessControlWithoutIdentities(t *testing.T) {
	in := input()
	in.Config.Dapr.Encryption = mesh.EncryptionCilium
	if spec := configuration(t, companion.App(whoami(nil), in)); spec.AccessControlSpec != nil {
		t.Errorf("%+v", spec.AccessControlSpec)
	}
}

func TestHTTPAPI(t *testing.T) {
	closed := whoami(nil)
	closed.DaprAPI = false
	tests := []struct {
		name    string
		objects []runtime.Object
		// allowed are the groups of v1.0 that answer.
		allowed func(group endpoints.EndpointGroupName) bool
	}{
		{"ingress", companion.Ingress(ingress(), input()), func(g endpoints.EndpointGroupName) bool {
			return g == endpoints.EndpointGroupServiceInvocation
		}},
		{"app", companion.App(whoami(nil), input()), func(endpoints.EndpointGroupName) bool { return true }},
		{"app without Dapr's API", companion.App(closed, input()), func(g endpoints.EndpointGroupName) bool {
			return g == endpoints.EndpointGroupHealth
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var spec daprconfig.APISpec
			if s := configuration(t, tt.objects).APISpec; s != nil {
				spec = *s
			}
			allowed := spec.Allowed.GetRulesByProtocol(daprconfig.APIAccessRuleProtocolHTTP)
			denied := spec.Denied.GetRulesByProtocol(daprconfig.APIAccessRuleProtocolHTTP)
			for _, name := range groupNames(t) {
				endpoint := endpoints.Endpoint{
					Version: "v1.0", Route: string(name) + "/x",
					Group: &endpoints.EndpointGroup{Name: name, Version: endpoints.EndpointGroupVersion1},
				}
				if got := endpoint.IsAllowed(allowed, denied); got != tt.allowed(name) {
					t.Errorf("%s: allowed %v", name, got)
				}
			}
		})
	}
}

// groupNames are the groups of Dapr's HTTP API, from its source.
func groupNames(t *testing.T) []endpoints.EndpointGroupName {
	t.Helper()
	var names []endpoints.EndpointGroupName
	ast.Inspect(source(t, "pkg/api/http/endpoints", "endpointgroup.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "EndpointGroupName" {
			for _, value := range stringsIn(spec) {
				names = append(names, endpoints.EndpointGroupName(value))
			}
		}
		return true
	})
	if !slices.Contains(names, endpoints.EndpointGroupServiceInvocation) || len(names) < 10 {
		t.Fatalf("groups in Dapr's source: %v", names)
	}
	return names
}

// TestGRPCAPI: a gRPC rule counts only if Dapr's table has its group; with no rule left, everything would be allowed.
func TestGRPCAPI(t *testing.T) {
	table := stringsIn(source(t, "pkg/api/grpc", "endpoints.go"))
	closed := whoami(nil)
	closed.DaprAPI = false
	tests := []struct {
		name    string
		objects []runtime.Object
		want    []string
	}{
		{"ingress", companion.Ingress(ingress(), input()), nil},
		{"app without Dapr's API", companion.App(closed, input()), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := configuration(t, tt.objects).APISpec
			known := 0
			var got []string
			for _, rule := range spec.Allowed {
				if rule.Protocol != "grpc" {
					continue
				}
				if slices.Contains(table, rule.Name+"."+rule.Version) {
					known++
				}
				if !slices.Contains(spec.Denied, rule) {
					got = append(got, rule.Name+"."+rule.Version)
				}
			}
			if known == 0 {
				t.Error("no rule that Dapr knows: the API is open")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("allowed (-want +got):\n%s", diff)
			}
		})
	}
}
