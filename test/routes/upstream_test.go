// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

//nolint:gochecknoglobals // the one flag of the package
var update = flag.Bool("update", false, "write the goldens")

// upstream is a route that another project tests with.
type upstream struct {
	// name is module, file, kind and the route's own name.
	name string
	kind string
	json []byte
}

// upstreamRoutes are all HTTPRoutes and GRPCRoutes in the Gateway API's conformance tests and in Cilium's test data and examples.
func upstreamRoutes(t *testing.T) []upstream {
	t.Helper()
	var all []upstream
	for _, source := range []struct{ module, folder string }{
		{"sigs.k8s.io/gateway-api/conformance", "."},
		{"github.com/cilium/cilium", "operator/pkg/gateway-api/testdata"},
		{"github.com/cilium/cilium", "examples/kubernetes"},
	} {
		root := filepath.Join(moduleFolder(t, source.module), source.folder)
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || strings.Contains(path, "/output/") {
				return err
			}
			file, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all = append(all, routesIn(t, filepath.Base(source.module)+" "+file, data)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// moduleFolder is where Go keeps a module at the version of hack/conformance, which must be the version that the project uses.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = "../../hack/conformance"
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", module, err, out)
	}
	var found struct{ Dir, Version string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	project, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if own := strings.TrimSuffix(module, "/conformance") + " " + found.Version; !bytes.Contains(project, []byte(own+"\n")) {
		t.Errorf("go.mod does not require %s: bring hack/conformance to its version", own)
	}
	return found.Dir
}

func routesIn(t *testing.T, name string, data []byte) []upstream {
	t.Helper()
	var routes []upstream
	for document := range bytes.SplitSeq(data, []byte("\n---")) {
		if !bytes.Contains(document, []byte("kind: HTTPRoute")) && !bytes.Contains(document, []byte("kind: GRPCRoute")) {
			continue
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(document, &object); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %v", name, err)
		}
		kind, _ := object["kind"].(string)
		metadata, _ := object["metadata"].(map[string]any)
		if kind != mesh.KindHTTPRoute && kind != mesh.KindGRPCRoute || metadata == nil {
			continue
		}
		if metadata["namespace"] == nil {
			metadata["namespace"] = "default"
		}
		routes = append(routes, upstream{
			name: fmt.Sprintf("%s %s %v", name, kind, metadata["name"]), kind: kind, json: encoded(t, object),
		})
	}
	return routes
}

// enrolling is a View in which every Gateway that a route names is enrolled, and every Service.
func enrolling(t tester, route upstream, implementation string) *mesh.View {
	t.Helper()
	view := worldView(implementation, mesh.InvokePrefix)
	view.Apps, view.Ingresses, view.Grants = nil, nil, nil
	ready := mesh.CompanionState{Live: true, Ready: true}
	protocol := "http"
	if route.kind == mesh.KindGRPCRoute {
		protocol = "grpc"
	}
	read := shapeOf(t, route.json)
	for i, name := range mesh.Parents(read.Metadata.Namespace, read.Spec.ParentRefs).Gateways {
		view.Ingresses = append(view.Ingresses, mesh.Ingress{
			AppRef: mesh.AppRef{Namespace: name.Namespace, ID: fmt.Sprintf("edge-%d", i)}, Gateway: name.Name, Companion: ready, GRPCServed: true,
		})
		view.Grants = append(view.Grants, mesh.Grant{Namespace: name.Namespace, FromKind: route.kind, FromNamespace: read.Metadata.Namespace})
	}
	for _, ref := range read.backends() {
		name, ok := mesh.BackendService(read.Metadata.Namespace, ref)
		if _, known := view.AppOfService(name); !ok || known || ref.Port == nil {
			continue
		}
		view.Apps = append(view.Apps, mesh.App{
			AppRef: mesh.AppRef{Namespace: name.Namespace, ID: name.Name}, Service: name.Name, Port: *ref.Port, Protocol: protocol, Companion: ready,
		})
		view.Grants = append(view.Grants, mesh.Grant{Namespace: name.Namespace, FromKind: route.kind, FromNamespace: read.Metadata.Namespace})
	}
	return view
}

// shape is what both kinds of routes have in common.
type shape struct {
	Metadata struct {
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		ParentRefs []gatewayv1.ParentReference `json:"parentRefs"`
		Rules      []struct {
			BackendRefs []gatewayv1.BackendRef `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
}

func shapeOf(t tester, data []byte) shape {
	t.Helper()
	var s shape
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return s
}

func (s shape) backends() []gatewayv1.BackendObjectReference {
	var refs []gatewayv1.BackendObjectReference
	for _, rule := range s.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			refs = append(refs, ref.BackendObjectReference)
		}
	}
	return refs
}

// TestUpstreamRoutes rewrites every route that the Gateway API and Cilium test with, as if everything it names were enrolled. What
// becomes of each is a golden of one line: the Services that its rules name then, or the codes of its refusals.
func TestUpstreamRoutes(t *testing.T) {
	routes := upstreamRoutes(t)
	if len(routes) < 200 {
		t.Fatalf("only %d routes", len(routes))
	}
	var lines []string
	for _, route := range routes {
		t.Run(route.name, func(t *testing.T) {
			lines = append(lines, route.name+": "+checkUpstream(t, route, enrolling(t, route, "cilium")))
			checkUpstream(t, route, enrolling(t, route, "traefik"))
		})
	}
	slices.Sort(lines)
	checkFile(t, "testdata/upstream.txt", strings.Join(slices.Compact(lines), "\n")+"\n")
}

func checkUpstream(t *testing.T, route upstream, view *mesh.View) string {
	t.Helper()
	out, findings := admit(t, mutate.Request{Kind: route.kind, Object: route.json}, view)
	if out == nil {
		checkRefusals(t, findings)
		return "refused " + strings.Join(codes(findings, mesh.Deny), " ")
	}
	checkProperties(t, subject{kind: route.kind, in: route.json, out: out, view: view})
	if route.kind == mesh.KindHTTPRoute {
		original := httpRoute(t, route.json)
		checkMeaning(t, original, httpRoute(t, out), view, requestsFor(original))
	} else {
		original := grpcRoute(t, route.json)
		checkGRPCMeaning(t, original, grpcRoute(t, out), view, callsFor(original))
	}
	line := strings.Join(namedServices(shapeOf(t, out)), " ")
	if warned := codes(findings, mesh.Warn); len(warned) > 0 {
		line += " warned " + strings.Join(warned, " ")
	}
	return strings.TrimSpace("admitted " + line)
}

// namedServices are those that the rules of a route name, each once, in order.
func namedServices(route shape) []string {
	var names []string
	for _, ref := range route.backends() {
		if name := string(ref.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func codes(findings []mesh.Finding, severity mesh.Severity) []string {
	var found []string
	for _, f := range findings {
		if f.Severity == severity {
			found = append(found, string(f.Code))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// checkFile compares a golden file.
func checkFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
