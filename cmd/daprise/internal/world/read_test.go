// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
)

// recorder notes the kinds that it is asked for.
type recorder struct {
	*store
	asked map[schema.GroupKind]bool
}

func (r recorder) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if gvk, err := apiutil.GVKForObject(object, r.scheme); err == nil {
		r.asked[gvk.GroupKind()] = true
	}
	return r.store.Get(ctx, key, object, options...)
}

func (r recorder) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if gvk, err := apiutil.GVKForObject(list, r.scheme); err == nil {
		r.asked[schema.GroupKind{Group: gvk.Group, Kind: strings.TrimSuffix(gvk.Kind, "List")}] = true
	}
	return r.store.List(ctx, list, options...)
}

// TestEveryKindIsRead: what the loader asks a cluster for, files are read for, and a cluster is read for by --live.
func TestEveryKindIsRead(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/world/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var files []document.File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, document.Parse(path, data))
	}
	options := Options{Config: mesh.DefaultConfig(), Namespace: "default", CiliumVersion: "1.20.2"}
	w, err := Enrolled(files, options)
	if err != nil {
		t.Fatal(err)
	}
	r := recorder{w.store, map[schema.GroupKind]bool{}}
	need := mesh.Need{Namespaces: w.Namespaces(), AllNamespaces: true}
	if _, _, err := controller.NewLoader(options.Config, r).Plan(t.Context(), need); err != nil {
		t.Fatal(err)
	}
	if len(r.asked) < 10 {
		t.Errorf("asked for %v alone", r.asked)
	}
	live := []schema.GroupKind{{Kind: "Pod"}} // read by themselves, where companions are
	for _, k := range Kinds() {
		live = append(live, k.GroupKind())
	}
	for _, s := range Surroundings(options.Config) {
		live = append(live, s.GroupKind())
	}
	for kind := range r.asked {
		if _, ok := known()[kind]; !ok {
			t.Errorf("%s is not read from files", kind)
		}
		if !slices.Contains(live, kind) {
			t.Errorf("%s is not read from clusters", kind)
		}
	}
}
