// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// userConfiguration is a Configuration that a user wrote.
func userConfiguration(ns, name, domain string) *unstructured.Unstructured {
	u := untyped(daprConfiguration())
	u.SetNamespace(ns)
	u.SetName(name)
	u.Object["spec"] = map[string]any{"accessControl": map[string]any{"defaultAction": "deny", "trustDomain": domain}}
	return u
}

// also is an object with more annotations.
func also(object client.Object, annotations map[string]string) client.Object {
	all := object.GetAnnotations()
	for key, value := range annotations {
		all[key] = value
	}
	object.SetAnnotations(all)
	return object
}

// TestLoadOfConfigurations: what an app's own Configuration says and in which trust domains its callers are, those of other namespaces
// too. Configurations that daprise wrote are no user's.
func TestLoadOfConfigurations(t *testing.T) {
	ours := userConfiguration("shop", "plain-dapr", "public")
	ours.SetLabels(mesh.ObjectLabels("plain", mesh.ComponentApp))
	reader := builder(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "infra"}},
		also(admitted(service("shop", "whoami"), "whoami"), map[string]string{mesh.AnnotationConfig: "own", mesh.AnnotationCallers: "cart.infra,plain"}),
		admitted(service("shop", "plain"), "plain"),
		also(admitted(service("infra", "cart"), "cart"), map[string]string{mesh.AnnotationConfig: "td"}),
		userConfiguration("shop", "own", ""), userConfiguration("infra", "td", "td.example"), userConfiguration("other", "x", "x.example"), ours,
	).Build()
	loader := NewLoader(mesh.DefaultConfig(), reader)
	l, err := loader.load(t.Context(), loader.door, mesh.Need{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	view := l.world.View
	var names []string
	for _, c := range view.Configurations {
		names = append(names, c.Name.String())
	}
	if diff := cmp.Diff([]string{"infra/td", "shop/own"}, names); diff != "" {
		t.Errorf("Configurations (-want +got):\n%s", diff)
	}
	in := l.inputFor(view, mesh.AppRef{Namespace: "shop", ID: "whoami"})
	if want := `{"accessControl":{"defaultAction":"deny","trustDomain":""}}`; in.UserConfiguration != want {
		t.Errorf("Configuration %s, want %s", in.UserConfiguration, want)
	}
	if diff := cmp.Diff(map[mesh.AppRef]string{{Namespace: "infra", ID: "cart"}: "td.example"}, in.TrustDomains); diff != "" {
		t.Errorf("trust domains (-want +got):\n%s", diff)
	}
	if in := l.inputFor(view, mesh.AppRef{Namespace: "shop", ID: "plain"}); in.UserConfiguration != "" {
		t.Errorf("an app that names none: %q", in.UserConfiguration)
	}
}

// TestConfigurationsTrigger: a change concerns the namespace's companions and those elsewhere that its apps call.
func TestConfigurationsTrigger(t *testing.T) {
	loader := NewLoader(mesh.DefaultConfig(), builder(t).Build())
	loader.door.caches = cachesOf(builder(t,
		admitted(service("infra", "cart"), "cart"),
		also(admitted(service("shop", "whoami"), "whoami"), map[string]string{mesh.AnnotationCallers: "plain, cart.infra"}),
		also(admitted(service("shop", "plain"), "plain"), map[string]string{mesh.AnnotationCallers: "cart.other"}),
	).Build())
	companions := &fakeQueue[mesh.AppRef]{}
	tr := &triggers{
		loader: loader, log: logr.Discard(), patience: time.Second,
		companions: &keys[mesh.AppRef]{queue: companions}, routes: &keys[routeKey]{queue: &fakeQueue[routeKey]{}},
	}
	before := loader.recent.generation()
	tr.hear(change{kind: kindConfiguration, new: userConfiguration("infra", "td", "td.example")})
	if diff := cmp.Diff([]mesh.AppRef{{Namespace: "infra", ID: "cart"}, {Namespace: "shop", ID: "whoami"}}, companions.added); diff != "" {
		t.Errorf("companions (-want +got):\n%s", diff)
	}
	if loader.recent.generation() != before+1 {
		t.Error("loads of before the change would be used")
	}
}

// allCached is a reader that counts as the complete cache of every kind.
type allCached struct{ client.Reader }

func cachesOf(reader client.Reader) caches { return allCached{reader} }

func (c allCached) reader(kind) (client.Reader, bool) { return c.Reader, true }
