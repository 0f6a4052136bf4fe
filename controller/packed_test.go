// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/mesh/policy"
)

// asStored is a rendered object as the API server would have it.
func asStored(t *testing.T, rendered client.Object, c client.Client) client.Object {
	t.Helper()
	content, err := companion.Content(rendered)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(content), client.FieldOwner(mesh.FieldManager)); err != nil {
		t.Fatal(err)
	}
	object, ok := rendered.DeepCopyObject().(client.Object)
	if !ok {
		t.Fatal(rendered)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(rendered), object); err != nil {
		t.Fatal(err)
	}
	object.SetUID("0a61d9d2-6d4a-4d0f-9a31-3c1c4c8c7f10")
	object.SetGeneration(3)
	return object
}

func packedAs(t *testing.T, k kind, object client.Object) *packed {
	t.Helper()
	f := forms(kindsWatched())[k]
	if f.raw {
		u, err := content(object, facts{gvk: f.gvk})
		if err != nil {
			t.Fatal(err)
		}
		object = u
	}
	in, err := f.pack(object.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := in.(*packed)
	if !ok {
		t.Fatalf("%T is not packed", in)
	}
	return p
}

// kindOfOwned is the kind that a rendered object is cached as.
func kindOfOwned(t *testing.T, object client.Object) kind {
	t.Helper()
	kinds := kindsWatched()
	for _, k := range append(ownedKinds(), kindCiliumPolicy) {
		if kinds[k].gvk == object.GetObjectKind().GroupVersionKind() {
			return k
		}
	}
	t.Fatalf("%T is of no kind", object)
	return ""
}

// What is packed is all there, and whether it is up to date is told of it as of the object.
func TestPackedIsWhole(t *testing.T) {
	c := builder(t).WithReturnManagedFields().Build()
	for _, rendered := range append(objectsFor(), objectsFor(daemonset, redirect)...) {
		gvk := rendered.GetObjectKind().GroupVersionKind()
		t.Run(gvk.Kind+" "+rendered.GetName(), func(t *testing.T) {
			live := asStored(t, rendered, c)
			want, _ := live.DeepCopyObject().(client.Object)
			want.SetManagedFields(onlyOwnFields(want.GetManagedFields()))
			want.SetCreationTimestamp(metav1.Time{})
			want.GetObjectKind().SetGroupVersionKind(gvk)
			p := packedAs(t, kindOfOwned(t, rendered), live)
			got, err := p.whole()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
			for _, wanted := range []client.Object{rendered, labelled(rendered)} {
				likewise(t, wanted, live)
			}
			// Of whose fields nobody knows.
			live.SetManagedFields(nil)
			if likewise(t, labelled(rendered), live) || !likewise(t, rendered, live) {
				t.Error("what is applied is not told from another")
			}
			if again, err := p.form.pack(p); err != nil || again != p {
				t.Errorf("what is packed is packed again: %v, %v", again, err)
			}
		})
	}
}

// likewise says whether a live object is up to date, and holds that of it packed the same is told, at first and again.
func likewise(t *testing.T, wanted, live client.Object) bool {
	t.Helper()
	p := packedAs(t, kindOfOwned(t, wanted), live)
	want, err := companion.UpToDate(wanted, live)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := upToDate(wanted, p); got != want || err != nil {
			t.Errorf("up to date: %t, %v, of the object %t", got, err, want)
		}
	}
	return want
}

// labelled is another object to want.
func labelled(object client.Object) client.Object {
	other, _ := object.DeepCopyObject().(client.Object)
	other.SetAnnotations(map[string]string{"other": "than before"})
	return other
}

func TestPackedTellsOfItself(t *testing.T) {
	owner := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: "whoami", UID: "u", Controller: new(true), BlockOwnerDeletion: new(false)}}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "whoami-dapr", UID: "uid", ResourceVersion: "7", Generation: 2, Labels: mesh.ObjectLabels("whoami", mesh.ComponentApp),
		Annotations: map[string]string{"a": "b"}, OwnerReferences: owner, DeletionTimestamp: new(metav1.Now()),
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: autoscaler, Subresource: "scale"}},
	}}
	p := packedAs(t, ownedDeployment, d)
	type told struct {
		namespace, name, uid, version string
		generation                    int64
		labels, annotations           map[string]string
		deleted, workload, ours       bool
		autoscaled                    bool
	}
	tell := func(o client.Object) told {
		return told{
			o.GetNamespace(), o.GetName(), string(o.GetUID()), o.GetResourceVersion(), o.GetGeneration(), o.GetLabels(), o.GetAnnotations(),
			o.GetDeletionTimestamp() != nil, isWorkload(o), isOurs(o, "whoami"), autoscaledAs(companion.Input{}, []client.Object{o}).Autoscaled,
		}
	}
	if diff := cmp.Diff(tell(d), tell(p), cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("of the object and packed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(owner, p.GetOwnerReferences()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// An empty list of peers is not the same as none.
func TestPackedPoliciesSayTheSame(t *testing.T) {
	for _, spec := range []string{
		`{endpointSelector: {}, ingress: [{fromEndpoints: []}]}`,
		`{endpointSelector: {}, ingress: [{}]}`,
		`{endpointSelector: {matchLabels: {app: x}}, ingress: [{fromEntities: [ingress], toPorts: [{ports: [{port: "3500", protocol: TCP}]}]}], egress: []}`,
	} {
		raw, err := yaml.YAMLToJSON([]byte("{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p, uid: u, resourceVersion: '1'}, spec: " + spec + "}"))
		if err != nil {
			t.Fatal(err)
		}
		typed, untypedPolicy := &ciliumv2.CiliumNetworkPolicy{}, untyped(ciliumv2.SchemeGroupVersion.WithKind("CiliumNetworkPolicy"))
		if err := json.Unmarshal(raw, typed); err != nil {
			t.Fatal(err)
		}
		if err := untypedPolicy.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		f := forms(kindsWatched())[kindCiliumPolicy]
		in, err := f.pack(untypedPolicy)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := in.(*packed)
		got, err := p.policy()
		if err != nil {
			t.Fatal(err)
		}
		if want := policy.CompileCNP(typed); !reflect.DeepEqual(want, got) {
			t.Errorf("%s: compiled from what was packed it is another policy", spec)
		}
		if again, _ := p.policy(); again != got {
			t.Error("compiled again")
		}
	}
}

func TestPackedRoutesAreReadOnce(t *testing.T) {
	route := routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
	p := packedAs(t, kindHTTPRoute, route)
	if diff := cmp.Diff(routeKept(route), routeOf(p), cmp.AllowUnexported(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	f := kindsWatched()[kindHTTPRoute]
	want, err := content(route, f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := content(p, f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Object["spec"], got.Object["spec"]); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
}

// Heads are kept once, and not longer than anything has them.
func TestHeadsLeave(t *testing.T) {
	h := newHeads()
	one, other := h.of(service("a", "x")), h.of(service("a", "y"))
	if one != other || h.of(service("b", "x")) == one {
		t.Error("what is the same is there twice, or what is not once")
	}
	runtime.KeepAlive(one)
	runtime.KeepAlive(other)
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		h.mu.Lock()
		left := len(h.known)
		h.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d heads are left", left)
		}
	}
}

// packing is caches that hold packed what is packed.
type packing struct {
	caches
	packs map[kind]*packs
}

func (p packing) reader(k kind) (client.Reader, bool) {
	if held, ok := p.packs[k]; ok {
		return held, true
	}
	return p.caches.reader(k)
}

func packingAll(t *testing.T, cached caches) packing {
	t.Helper()
	kinds := kindsWatched()
	all := map[kind]*packs{}
	for k, f := range forms(kinds) {
		found, _, err := list[client.Object](t.Context(), door{caches: cached, kinds: kinds}, k, scope{})
		if err != nil {
			t.Fatal(err)
		}
		all[k] = newPacks(&f, indexes()[k])
		for _, object := range found {
			if f.raw {
				if object, err = content(object, kinds[k]); err != nil {
					t.Fatal(err)
				}
			}
			if err := all[k].Add(object.DeepCopyObject()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return packing{cached, all}
}

// A View is the same from packed objects as from whole ones.
func TestLoadFromPacked(t *testing.T) {
	owned := asStored(t, objectsFor()[0], builder(t).WithReturnManagedFields().Build())
	world := append(objects(), owned)
	for _, rendered := range objectsFor() {
		if s, ok := rendered.(*corev1.Service); ok {
			s.UID, s.ResourceVersion = "", ""
			world = append(world, s)
		}
	}
	reader := indexed(builder(t, world...)).Build()
	for _, need := range []mesh.Need{
		{Namespaces: []string{"shop"}}, {Namespaces: []string{"default", "infra"}}, {AllNamespaces: true},
		{Namespaces: []string{"shop"}, Services: []mesh.Name{{Namespace: "infra", Name: "ingress-dapr"}}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
	} {
		whole := newLoader(mesh.DefaultConfig(), door{caches: asSelected{reader}, live: reader, kinds: kindsWatched()})
		want, err := whole.Load(t.Context(), need)
		if err != nil {
			t.Fatal(err)
		}
		l := newLoader(mesh.DefaultConfig(), door{caches: packingAll(t, asSelected{reader}), live: reader, kinds: kindsWatched()})
		got, err := l.Load(t.Context(), need)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.View, got.View, cmpopts.EquateEmpty(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("%+v (-whole +packed):\n%s", need, diff)
		}
	}
}

func TestPacks(t *testing.T) {
	f := forms(kindsWatched())[ownedService]
	s := newPacks(&f, indexes()[ownedService])
	var heard []string
	s.tell = func(old, object *packed) {
		switch {
		case old == nil:
			heard = append(heard, "added "+object.name)
		case object == nil:
			heard = append(heard, "deleted "+old.name)
		default:
			heard = append(heard, "changed "+object.name)
		}
	}
	one := func(ns, name, id, version string) *corev1.Service {
		object := service(ns, name)
		object.UID, object.ResourceVersion, object.Labels = "u", version, mesh.ObjectLabels(id, mesh.ComponentApp)
		return object
	}
	step := func(err error, told []string, want map[string][]string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(heard)
		if diff := cmp.Diff(told, heard, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		heard = nil
		got := map[string][]string{}
		for id := range want {
			for _, p := range s.in(scope{namespace: "a", index: byInstance(), key: id}) {
				got[id] = append(got[id], p.name)
			}
			slices.Sort(got[id])
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
	}
	if s.HasSynced() {
		t.Error("complete before anything was told")
	}
	step(s.Replace([]any{one("a", "x", "x", "1"), one("a", "y", "x", "1"), one("b", "x", "x", "1")}, ""), []string{"added x", "added x", "added y"}, map[string][]string{"x": {"x", "y"}})
	if !s.HasSynced() {
		t.Error("not complete")
	}
	before := s.of(client.ObjectKey{Namespace: "a", Name: "x"})
	step(s.Update(one("a", "y", "z", "2")), []string{"changed y"}, map[string][]string{"x": {"x"}, "z": {"y"}})
	step(s.Delete(one("b", "x", "x", "3")), []string{"deleted x"}, map[string][]string{"x": {"x"}})
	step(s.Delete(one("b", "x", "x", "3")), nil, map[string][]string{"x": {"x"}})
	step(s.Replace([]any{one("a", "x", "x", "1"), one("a", "w", "z", "5")}, ""), []string{"added w", "deleted y"}, map[string][]string{"x": {"x"}, "z": {"w"}})
	if s.of(client.ObjectKey{Namespace: "a", Name: "x"}) != before {
		t.Error("what is the same is another")
	}
	if got := len(s.in(scope{})); got != 2 {
		t.Errorf("%d objects in all", got)
	}
	if got := len(s.in(scope{namespace: "b"})); got != 0 {
		t.Errorf("%d objects in a namespace that has none", got)
	}
}
