// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// BenchmarkRoute is one decision about the seed's route, bytes in to patch out: as it is created, as the client applies it again over
// the stored one, and as it is read and written back.
func BenchmarkRoute(b *testing.B) {
	data, err := os.ReadFile("testdata/route/prefix-root/in.yaml")
	if err != nil {
		b.Fatal(err)
	}
	in, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		b.Fatal(err)
	}
	view := worldView(mesh.InvokePrefix)
	stored := mutated(b, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	for _, bench := range []struct {
		name    string
		request mutate.Request
	}{
		{"create", mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}},
		{"apply", mutate.Request{Kind: mesh.KindHTTPRoute, Object: withAnnotationsOf(b, in, stored), OldObject: stored}},
		{"write-back", mutate.Request{Kind: mesh.KindHTTPRoute, Object: stored, OldObject: stored}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mutate.Route(bench.request, view); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
