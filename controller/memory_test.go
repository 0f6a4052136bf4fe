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
	packedLimit = 5100
	readLimit   = 8200
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

// add adds one app.
func (h *heldApps) add(t *testing.T, i int) {
	t.Helper()
	a := app(func(a *mesh.App) {
		a.Namespace, a.ID, a.Service = fmt.Sprintf("team-%d", i/10), fmt.Sprintf("app-%d", i), fmt.Sprintf("app-%d", i)
		a.Owner.Object.Namespace, a.Owner.Object.Name, a.Owner.UID = a.Namespace, a.Service, uidOf(i, 0)
	})
	input := companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: strings.Repeat("MIIBpem", 100), Callers: []mesh.AppRef{{Namespace: "infra", ID: "ingress"}}}
	for n, object := range objectsOf(companion.App(a, input)) {
		like := identityOf(object)
		like.name = strings.Replace(object.GetName(), a.ID, "whoami", 1)
		object.SetManagedFields(h.applied[like].GetManagedFields())
		h.put(t, kindOfOwned(t, object), object, uidOf(i, n+1))
	}
	var policies []map[string]any
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("NAMESPACE", a.Namespace, "APP", a.ID).Replace(appPolicies)), &policies); err != nil {
		t.Fatal(err)
	}
	for n, p := range policies {
		u := untyped(kindsWatched()[kindCiliumPolicy].gvk)
		u.Object = p
		h.put(t, kindCiliumPolicy, u, uidOf(i, 20+n))
	}
	route := routeThrough(a.Namespace, "infra", a.AppRef)
	route.Name = a.ID
	route.Annotations = map[string]string{mesh.AnnotationOriginal: strings.Repeat("a record of originals ", 10) + a.ID}
	h.put(t, kindHTTPRoute, route, uidOf(i, 30))
}

func uidOf(i, n int) types.UID {
	return types.UID(fmt.Sprintf("%08x-6d4a-4d0f-9a31-%012x", i*7919, n*104729+i))
}

func (h *heldApps) put(t *testing.T, k kind, object client.Object, uid types.UID) {
	t.Helper()
	object.SetUID(uid)
	object.SetResourceVersion(fmt.Sprint(1_000_000 + len(uid)))
	if err := h.packs[k].Add(object); err != nil {
		t.Fatal(err)
	}
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
	const first, apps = 20, 1000
	for i := range first {
		h.add(t, i)
	}
	before := heapInUse()
	for i := range apps {
		h.add(t, first+i)
	}
	packed := (heapInUse() - before) / apps
	if packed > packedLimit {
		t.Errorf("%d bytes for an app as it is cached, %d at most", packed, packedLimit)
	}
	for _, p := range h.packs[kindCiliumPolicy].in(scope{}) {
		if _, err := p.policy(); err != nil {
			t.Fatal(err)
		}
	}
	read := (heapInUse() - before) / apps
	if read > readLimit {
		t.Errorf("%d bytes for an app once its policies were read, %d at most", read, readLimit)
	}
	t.Logf("%d bytes for an app as it is cached, %d once its policies were read", packed, read)
	for k, held := range h.packs {
		data := 0
		all := held.in(scope{})
		for _, p := range all {
			data += len(p.data)
		}
		if len(all) > 0 {
			t.Logf("%s: %d objects, %d bytes packed each", k, len(all), data/len(all))
		}
	}
	runtime.KeepAlive(h)
}
