// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/webhook"
)

const (
	manyReviews = 100_000
	// leak is far more than what is kept of any number of reviews: metrics by resource, operation and code.
	leak = 32 << 20
)

// TestManyReviews: a hundred thousand reviews, most of them broken, at one server: each is answered as FuzzHandler wants it, and neither goroutines nor
// memory stay behind. The seed is fixed: what it found once it finds again.
func TestManyReviews(t *testing.T) {
	e := newEdge(t, &worlds{cached: empty, live: empty})
	mutator := mutator{random: rand.New(rand.NewPCG(8, 100_000)), seeds: reviewSeeds(t)}
	before := inUse()
	reviews := 0
	for i := range manyReviews {
		path := webhook.PathValidate
		if i%2 == 0 {
			path = webhook.PathMutate
		}
		if checkAnswer(t, e, path, mutator.next()) {
			reviews++
		}
		e.log.Reset()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d were answered with a review", reviews, manyReviews)
	if reviews < manyReviews/20 || reviews > manyReviews*19/20 {
		t.Errorf("%d of %d answered with a review: too few of one kind to show anything", reviews, manyReviews)
	}
	after := inUse()
	if after.goroutines > before.goroutines+2 {
		t.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines)
	}
	if after.heap > before.heap+leak {
		t.Errorf("%d bytes in use, %d before", after.heap, before.heap)
	}
}

type usage struct {
	goroutines int
	heap       uint64
}

func inUse() usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), m.HeapAlloc}
}

// reviewSeeds are reviews of each kind of the example's objects.
func reviewSeeds(t *testing.T) [][]byte {
	t.Helper()
	seeds := [][]byte{[]byte(minimal(nil)), []byte(minimal(inRequest("operation", "DELETE"))), []byte(minimal(inRequest("subResource", "status")))}
	kinds := map[string][3]string{
		"HTTPRoute": {"gateway.networking.k8s.io", "v1", "httproutes"}, "GRPCRoute": {"gateway.networking.k8s.io", "v1", "grpcroutes"},
		"Gateway": {"gateway.networking.k8s.io", "v1", "gateways"}, "Deployment": {"apps", "v1", "deployments"}, "Service": {"", "v1", "services"},
		"CiliumNetworkPolicy": {"cilium.io", "v2", "ciliumnetworkpolicies"},
	}
	files, err := filepath.Glob("../mutate/testdata/route/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	examples, err := filepath.Glob("../examples/whoami/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no example: %v", err)
	}
	for _, file := range append(files, examples...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := map[string]any{}
		if err := yaml.Unmarshal(data, &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		kind, _ := object["kind"].(string)
		of, ok := kinds[kind]
		if !ok {
			continue
		}
		seeds = append(seeds, []byte(minimal(func(review map[string]any) {
			inRequest("kind", map[string]any{"group": of[0], "version": of[1], "kind": kind})(review)
			inRequest("resource", map[string]any{"group": of[0], "version": of[1], "resource": of[2]})(review)
			inRequest("object", object)(review)
			inRequest("operation", "UPDATE")(review)
			inRequest("oldObject", object)(review)
		})))
	}
	return seeds
}

// mutator breaks reviews: as JSON, by putting other values in the place of some, and as bytes.
type mutator struct {
	random *rand.Rand
	seeds  [][]byte
}

func (m mutator) next() []byte {
	seed := m.seeds[m.random.IntN(len(m.seeds))]
	var tree any
	if err := json.Unmarshal(seed, &tree); err != nil {
		panic(err) // seeds are ours
	}
	for range m.random.IntN(4) {
		tree = m.change(tree)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		panic(err) // made of JSON
	}
	if m.random.IntN(3) == 0 {
		for range 1 + m.random.IntN(3) {
			data = m.tear(data)
		}
	}
	return data
}

// change puts another value somewhere into a tree.
func (m mutator) change(tree any) any {
	if m.random.IntN(8) == 0 {
		others := []any{nil, true, -1, 1e300, "", "\u0000", "daprise.dev/enabled", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil}}
		return others[m.random.IntN(len(others))]
	}
	switch value := tree.(type) {
	case map[string]any:
		if keys := slices.Sorted(maps.Keys(value)); len(keys) > 0 {
			key := keys[m.random.IntN(len(keys))]
			if m.random.IntN(10) == 0 {
				delete(value, key)
			} else {
				value[key] = m.change(value[key])
			}
		}
	case []any:
		if len(value) > 0 {
			i := m.random.IntN(len(value))
			value[i] = m.change(value[i])
		}
	}
	return tree
}

// tear changes, takes out or repeats some bytes.
func (m mutator) tear(data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	at := m.random.IntN(len(data))
	end := min(len(data), at+1+m.random.IntN(40))
	switch m.random.IntN(3) {
	case 0:
		data[at] = byte(m.random.IntN(256))
		return data
	case 1:
		return append(data[:at:at], data[end:]...)
	default:
		return append(data[:end:end], data[at:]...)
	}
}
