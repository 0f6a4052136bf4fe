// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// Limits of what the caches hold of an app beyond a fixed base, in bytes: its companion's objects, two policies and a route packed, and what
// is derived from these once decisions have read them. They are some sixth above what is measured, which hardly differs between machines. A change
// that is worth it moves them, and docs/scale.md.
const (
	packedLimit = 4200
	readLimit   = 7600
)

// appPolicies are the two policies of an app, as teams write them.
const appPolicies = `
- apiVersion: cilium.io/v2
  kind: CiliumNetworkPolicy
  metadata: {namespace: NAMESPACE, name: dapr-ingress-to-APP}
  spec:
    endpointSelector: {matchLabels: {dapr.io/app-id: APP}}
    ingress:
    - fromEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": infra, dapr.io/app-id: ingress}}]
      toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
- apiVersion: cilium.io/v2
  kind: CiliumNetworkPolicy
  metadata: {namespace: NAMESPACE, name: dapr-to-APP}
  spec:
    endpointSelector: {matchLabels: {app: APP}}
    ingress:
    - fromEndpoints: [{matchLabels: {dapr.io/app-id: APP}}]
      toPorts: [{ports: [{port: "80", protocol: TCP}]}]
`

// heldApps makes what the caches hold of apps, without what users' Services take, which are not packed.
type heldApps struct {
	packs map[kind]*packs
	// applied are managedFields of one companion's objects, which are the same for all.
	applied map[identity]client.Object
}

func holdApps(t *testing.T) *heldApps {
	t.Helper()
	h := &heldApps{packs: map[kind]*packs{}, applied: map[identity]client.Object{}}
	for k, f := range forms(kindsWatched()) {
		h.packs[k] = newPacks(&f, indexes()[k])
	}
	fakes := builder(t).WithReturnManagedFields().Build()
	for _, object := range objectsFor() {
		h.applied[identityOf(object)] = asStored(t, object, fakes)
	}
	return h
}

// cachedAs is an object to cache.
type cachedAs struct {
	kind   kind
	object client.Object
}

// app is what there is of one app.
func (h *heldApps) app(t *testing.T, i int) []cachedAs {
	t.Helper()
	a := app(func(a *mesh.App) {
		a.Namespace, a.ID, a.Service = fmt.Sprintf("team-%d", i/10), fmt.Sprintf("app-%d", i), fmt.Sprintf("app-%d", i)
		a.Owner.Object.Namespace, a.Owner.Object.Name, a.Owner.UID = a.Namespace, a.Service, appUID(i, 0)
	})
	input := companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: strings.Repeat("MIIBpem", 100), Callers: []mesh.AppRef{{Namespace: "infra", ID: "ingress"}}}
	var all []cachedAs
	for _, object := range objectsOf(companion.App(a, input)) {
		like := identityOf(object)
		like.name = strings.Replace(object.GetName(), a.ID, "whoami", 1)
		object.SetManagedFields(h.applied[like].GetManagedFields())
		all = append(all, cachedAs{kindOfOwned(t, object), object})
	}
	var policies []map[string]any
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("NAMESPACE", a.Namespace, "APP", a.ID).Replace(appPolicies)), &policies); err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		u := untyped(kindsWatched()[kindCiliumPolicy].gvk)
		u.Object = p
		all = append(all, cachedAs{kindCiliumPolicy, u})
	}
	route := routeThrough(a.Namespace, "infra", a.AppRef)
	route.Name = a.ID
	route.Annotations = map[string]string{mesh.AnnotationOriginal: strings.Repeat("a record of originals ", 10) + a.ID}
	all = append(all, cachedAs{kindHTTPRoute, route})
	for n, c := range all {
		c.object.SetUID(appUID(i, n+1))
		c.object.SetResourceVersion(fmt.Sprint(1_000_000 + 20*i + n))
	}
	return all
}

// hold caches what some apps have of a kind.
func (h *heldApps) hold(t *testing.T, k kind, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		for _, c := range h.app(t, i) {
			if c.kind != k {
				continue
			}
			if err := h.packs[k].Add(c.object); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func appUID(i, n int) types.UID {
	return types.UID(fmt.Sprintf("%08x-6d4a-4d0f-9a31-%012x", i*7919, n*104729+i))
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestGateMemory fails where an app takes more memory than the limits say.
func TestGateMemory(t *testing.T) {
	h := holdApps(t)
	const first, last = 20, 320
	kinds := append(ownedKinds(), kindCiliumPolicy, kindHTTPRoute)
	for _, k := range kinds {
		h.hold(t, k, 0, first)
	}
	before := heapInUse()
	sum := 0
	each := func(what kind, limit int) {
		t.Helper()
		total := (heapInUse() - before) / (last - first)
		t.Logf("%s: %d bytes for an app, %d with those above", what, total-sum, total)
		if sum = total; sum > limit {
			t.Errorf("%d bytes for an app with %s, %d at most", sum, what, limit)
		}
	}
	for _, k := range kinds {
		h.hold(t, k, first, last)
		each(k, packedLimit)
	}
	for _, p := range h.packs[kindCiliumPolicy].in(scope{}) {
		if _, err := p.policy(); err != nil {
			t.Fatal(err)
		}
	}
	each("policies that were read", readLimit)
	runtime.KeepAlive(h)
}
