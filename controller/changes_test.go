// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

func TestChangesConcernTheirNamespaces(t *testing.T) {
	c := newChanges()
	c.note("shop")
	for _, test := range []struct {
		name       string
		note       func()
		namespaces []string
		want       bool
	}{
		{"nothing", func() {}, []string{"shop"}, false},
		{"of the namespace", func() { c.note("shop") }, []string{"infra", "shop"}, true},
		{"of another", func() { c.note("other") }, []string{"infra", "shop"}, false},
		{"of two", func() { c.note("other", "infra") }, []string{"infra", "shop"}, true},
		{"of all", func() { c.note() }, []string{"infra", "shop"}, true},
		{"of all, and nothing is concerned", func() { c.note() }, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := c.now()
			test.note()
			if got := c.since(before, test.namespaces); got != test.want {
				t.Errorf("changed %v, want %v", got, test.want)
			}
		})
	}
}

// TestAlikeNotesWhatNarrowLoadsSee: whatever is stored, changed and deleted, what a narrow load keeps of a likeness (whether it has none, one or
// enough) changes with a difference and not without one.
func TestAlikeNotesWhatNarrowLoadsSee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAlike()
		stored := map[types.UID]string{}
		kept := func(likeness string) int {
			n := 0
			for _, l := range stored {
				if l == likeness {
					n++
				}
			}
			return min(n, enoughAlike)
		}
		likenesses := []string{"a", "b"}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			uid := types.UID(rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(t, "route"))
			now := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "likeness")
			before := []int{kept(likenesses[0]), kept(likenesses[1])}
			if stored[uid] = now; now == "" {
				delete(stored, uid)
			}
			want := before[0] != kept(likenesses[0]) || before[1] != kept(likenesses[1])
			if got := a.note(uid, now); got != want {
				t.Fatalf("route %s becomes %q: a difference %v, want %v (%v)", uid, now, got, want, stored)
			}
		}
		for uid := range stored {
			a.note(uid, "")
		}
		if len(a.likeness)+len(a.count) != 0 {
			t.Fatalf("after all are gone: %v %v", a.likeness, a.count)
		}
	})
}

// TestNarrowLoadsAreUsedUntilSomethingChanges: a route's decision reads the caches when something has changed that it was made from.
func TestNarrowLoadsAreUsedUntilSomethingChanges(t *testing.T) {
	var lists atomic.Int32
	cached := builder(t, append(objects(), frontOf())...)
	for _, object := range []client.Object{&gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}} {
		for _, by := range []index{byTarget(), byReference()} {
			cached = cached.WithIndex(object, by.field, by.keys)
		}
	}
	reader := cached.WithIndex(&gatewayv1beta1.ReferenceGrant{}, byGranted().field, byGranted().keys).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists.Add(1)
			return c.List(ctx, list, options...)
		},
	}).Build()
	l := newLoader(mesh.DefaultConfig(), door{caches: asSelected{reader}, live: reader, kinds: kindsWatched()})
	now := time.Unix(0, 0)
	l.narrow.now = func() time.Time { return now }
	route := func(name string) *gatewayv1.HTTPRoute {
		r := routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
		r.Name, r.UID, r.ResourceVersion = name, types.UID(name), "1"
		return r
	}
	in := func(ns string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: "x", UID: "x"} }
	need := mesh.NeedOfHTTPRoute(route("own"))
	plain := mesh.NeedOfHTTPRoute(route("own"))
	plain.Services = append(plain.Services, mesh.Name{Namespace: "shop", Name: "whoami"}, mesh.Name{Namespace: "shop", Name: "absent"})
	for _, step := range []struct {
		name string
		do   func()
		need mesh.Need
		want bool
	}{
		{"the first time", func() {}, need, true},
		{"nothing has changed", func() {}, need, false},
		{"a first route like it", func() { l.heard(change{kind: kindHTTPRoute, new: route("a")}) }, need, true},
		{"a second", func() { l.heard(change{kind: kindHTTPRoute, new: route("b")}) }, need, true},
		{"a third", func() { l.heard(change{kind: kindHTTPRoute, new: route("c")}) }, need, false},
		{"one of three is gone", func() { l.heard(change{kind: kindHTTPRoute, old: route("a")}) }, need, false},
		{"one of two is gone", func() { l.heard(change{kind: kindHTTPRoute, old: route("b")}) }, need, true},
		{"a policy elsewhere", func() { l.heard(change{kind: kindNetworkPolicy, new: &corev1.Service{ObjectMeta: in("other")}}) }, need, false},
		{"a policy of the Gateway's namespace", func() { l.heard(change{kind: kindNetworkPolicy, new: &corev1.Service{ObjectMeta: in("infra")}}) }, need, true},
		{"a companion of the app's", func() { l.heard(change{kind: ownedDeployment, new: &corev1.Service{ObjectMeta: in("shop")}}) }, need, true},
		{"a clusterwide policy", func() { l.heard(change{kind: kindClusterwidePolicy, new: &corev1.Service{ObjectMeta: in("")}}) }, need, true},
		{"labels of the namespace", func() {
			l.heard(change{kind: kindNamespace, new: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}})
		}, need, true},
		{"a kind has appeared", func() { l.heard(change{kind: kindConfiguration}) }, need, true},
		{"time has passed", func() { now = now.Add(narrowFor) }, need, true},
		{"another need", func() {}, plain, true},
		{"what was read live is not kept", func() {}, plain, true},
		{"the first need is", func() {}, need, false},
	} {
		step.do()
		before := lists.Load()
		if _, err := l.Load(t.Context(), step.need); err != nil {
			t.Fatal(err)
		}
		if got := lists.Load() != before; got != step.want {
			t.Errorf("%s: loaded again %v, want %v", step.name, got, step.want)
		}
	}
}

// TestNarrowLoadsAreFew: needs of thousands of routes leave few loads behind.
func TestNarrowLoadsAreFew(t *testing.T) {
	l := NewLoader(mesh.DefaultConfig(), builder(t, objects()...).Build())
	for i := range narrowAtMost + 10 {
		if _, err := l.narrowed(t.Context(), mesh.Need{Namespaces: []string{string(rune('a' + i))}, Narrow: true}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.narrow.kept); n > narrowAtMost {
		t.Errorf("%d loads are kept, want %d at most", n, narrowAtMost)
	}
}

func TestKeysOfNeeds(t *testing.T) {
	a, b := mesh.Name{Namespace: "a", Name: "b"}, mesh.Name{Namespace: "b", Name: "a"}
	needs := []mesh.Need{
		{}, {Namespaces: []string{"a"}}, {Namespaces: []string{"a", "b"}}, {Namespaces: []string{"ab"}}, {Gateways: []mesh.Name{a}}, {Services: []mesh.Name{a}},
		{Gateways: []mesh.Name{b}}, {Gateways: []mesh.Name{a, b}}, {Gateways: []mesh.Name{a}, Services: []mesh.Name{b}}, {Namespaces: []string{"a"}, Services: []mesh.Name{b}},
	}
	seen := map[string]int{}
	for i, need := range needs {
		if j, ok := seen[keyOf(need)]; ok {
			t.Errorf("%+v and %+v have one key", needs[j], need)
		}
		seen[keyOf(need)] = i
	}
}
