// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// However many objects a namespace has, and whatever came and went, the same is found as by looking at all.
func TestPacksFindWhatIsThere(t *testing.T) {
	f := forms(kindsWatched())[ownedService]
	s := newPacks(&f, indexes()[ownedService])
	there := map[string]string{}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 4000 {
		// More and more, then fewer and fewer.
		name, id := fmt.Sprint("s", random.IntN(1+min(i, 4000-i)/4)), fmt.Sprint("app", random.IntN(7))
		object := service("a", name)
		object.Labels, object.ResourceVersion = mesh.ObjectLabels(id, mesh.ComponentApp), fmt.Sprint(i)
		if random.IntN(3) == 0 || i > 3900 {
			delete(there, name)
			if err := s.Delete(object); err != nil {
				t.Fatal(err)
			}
		} else {
			there[name] = id
			if err := s.Add(object); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 != 0 {
			continue
		}
		for n := range 7 {
			id := fmt.Sprint("app", n)
			var want, got []string
			for name, of := range there {
				if of == id {
					want = append(want, name)
				}
			}
			for _, p := range s.in(scope{namespace: "a", index: byInstance(), key: id}) {
				got = append(got, p.name)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("after %d: %s has %q, want %q", i, id, got, want)
			}
		}
		if got := len(s.in(scope{namespace: "a"})); got != len(there) {
			t.Fatalf("after %d: %d objects, want %d", i, got, len(there))
		}
		if p := s.of(client.ObjectKey{Namespace: "a", Name: name}); (p != nil) != (there[name] != "") {
			t.Fatalf("after %d: %s is there: %v", i, name, p != nil)
		}
	}
}
