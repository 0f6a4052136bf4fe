// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// generatedRoutes is how many drawn routes of each kind go to the API server.
const generatedRoutes = 40

// TestSchema has a real API server judge, with the schema and CEL of both of the Gateway API's channels, what becomes of every golden,
// of every route that the Gateway API and Cilium test with, and of drawn ones: it takes them, and stores them as they are.
func TestSchema(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cp, err := controlplane.Start(ctx, controlplane.Options{
		CRDs: []controlplane.CRDSet{controlplane.GatewayAPIStandard}, Nodes: controlplane.NoNodes, Log: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := *cp.AdminConfig()
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	server, err := dynamic.NewForConfig(&config)
	if err != nil {
		t.Fatal(err)
	}
	subjects := schemaSubjects(t)
	t.Run("standard", func(t *testing.T) { checkSchemas(ctx, t, server, subjects) })
	if release, err := parts.ChosenRelease(); err != nil || release == parts.Oldest {
		// The experimental channel of Gateway API 1.6 calls functions of CEL that Kubernetes 1.31 does not have.
		return
	}
	if err := cp.RemoveCRDs(ctx, controlplane.GatewayAPIStandard); err != nil {
		t.Fatal(err)
	}
	if err := cp.InstallCRDs(ctx, controlplane.GatewayAPIExperimental); err != nil {
		t.Fatal(err)
	}
	t.Run("experimental", func(t *testing.T) { checkSchemas(ctx, t, server, subjects) })
}

// named is a subject of the API server, without an outcome.
type named struct {
	name string
	subject
}

func schemaSubjects(t *testing.T) []named {
	t.Helper()
	var all []named
	for _, g := range goldens(t) {
		all = append(all, named{"golden " + g.name, subject{kind: g.kind, in: g.in, view: g.view}})
	}
	for _, route := range upstreamRoutes(t) {
		all = append(all, named{route.name, subject{kind: route.kind, in: route.json, view: enrolling(t, route, "cilium")}})
	}
	view := worldView("cilium", mesh.InvokePrefix)
	for seed := range generatedRoutes {
		http := rapid.Custom(anyHTTPRoute).Example(seed)
		grpc := rapid.Custom(anyGRPCRoute).Example(seed)
		all = append(all,
			named{"a drawn HTTPRoute", subject{kind: mesh.KindHTTPRoute, in: http, view: view}},
			named{"a drawn GRPCRoute", subject{kind: mesh.KindGRPCRoute, in: grpc, view: view}})
	}
	return all
}

func checkSchemas(ctx context.Context, t *testing.T, server dynamic.Interface, subjects []named) {
	t.Helper()
	accepted := 0
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			received, err := dryRun(ctx, server, s.kind, s.in)
			if apierrors.IsInvalid(err) {
				return // not a route in this channel, with or without the mesh
			}
			if err != nil {
				t.Fatal(err)
			}
			accepted++
			out, _ := admit(t, mutate.Request{Kind: s.kind, Object: received}, s.view)
			if out == nil {
				return
			}
			stored, err := dryRun(ctx, server, s.kind, out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(tree(t, out)["spec"], tree(t, stored)["spec"]); diff != "" {
				t.Errorf("stored otherwise (-mutated +stored):\n%s", diff)
			}
			again, findings := admit(t, mutate.Request{Kind: s.kind, Object: stored, OldObject: stored}, s.view)
			if again == nil || !cmp.Equal(tree(t, again), tree(t, stored)) {
				t.Errorf("what is stored would be mutated again: %v", findings)
			}
		})
	}
	if accepted < len(subjects)*3/4 {
		t.Errorf("only %d of %d routes are valid", accepted, len(subjects))
	}
}

// dryRun is a route as the API server would store it, in namespace default, which changes nothing for its schema.
func dryRun(ctx context.Context, server dynamic.Interface, kind string, route []byte) ([]byte, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(route, &object.Object); err != nil {
		return nil, err
	}
	namespace := object.GetNamespace()
	object.SetAPIVersion(gatewayv1.GroupVersion.String()) // some examples are of v1beta1, which has the same schema
	object.SetNamespace(metav1.NamespaceDefault)
	object.SetResourceVersion("")
	resource := schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: strings.ToLower(kind) + "s"}
	created, err := server.Resource(resource).Namespace(metav1.NamespaceDefault).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return nil, err
	}
	created.SetNamespace(namespace)
	return created.MarshalJSON()
}
