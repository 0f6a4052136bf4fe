// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
)

// serving is what an API server serves, by group and version.
type serving map[string][]string

func (s serving) ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error) {
	kinds, ok := s[groupVersion]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, groupVersion)
	}
	list := &metav1.APIResourceList{}
	for _, kind := range kinds {
		list.APIResources = append(list.APIResources, metav1.APIResource{Kind: kind})
	}
	return list, nil
}

// broken is an API server that answers nothing.
type broken struct{ error }

func (b broken) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return nil, b.error
}

func watching(t *testing.T, d discoverer) (*watcher, *[]change) {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	told := &[]change{}
	all := kindsWatched()
	w := &watcher{
		discovery: d, log: logr.Discard(), now: time.Now, started: map[kind]informer{}, heard: map[kind]sign{},
		main:      &informertest.FakeInformers{Scheme: scheme},
		kinds:     map[kind]facts{kindNamespace: all[kindNamespace], kindGateway: all[kindGateway], kindCiliumPolicy: all[kindCiliumPolicy]},
		listeners: []func(change){func(c change) { *told = append(*told, c) }},
	}
	return w, told
}

func TestWatcherFollowsWhatIsServed(t *testing.T) {
	served := serving{"v1": {"Namespace", "Pod"}}
	w, told := watching(t, served)
	if err := w.synced(); !errors.Is(err, errNotPolled) {
		t.Errorf("before the first poll: %v", err)
	}
	step := func(want ...kind) {
		t.Helper()
		if err := w.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		var ready []kind
		for _, k := range w.ordered() {
			if _, ok := w.reader(k); ok {
				ready = append(ready, k)
			}
		}
		if diff := cmp.Diff(want, ready); diff != "" {
			t.Errorf("cached kinds (-want +got):\n%s", diff)
		}
		if err := w.synced(); err != nil {
			t.Errorf("kinds that are not served make it unready: %v", err)
		}
	}
	step(kindNamespace)
	served["gateway.networking.k8s.io/v1"] = []string{"HTTPRoute"}
	step(kindNamespace)
	served["gateway.networking.k8s.io/v1"] = []string{"HTTPRoute", "Gateway"}
	served["cilium.io/v2"] = []string{"CiliumNetworkPolicy"}
	step(kindCiliumPolicy, kindGateway, kindNamespace)
	delete(served, "gateway.networking.k8s.io/v1")
	step(kindCiliumPolicy, kindNamespace)
	var kinds []kind
	for _, c := range *told {
		kinds = append(kinds, c.kind)
	}
	if diff := cmp.Diff([]kind{kindNamespace, kindCiliumPolicy, kindGateway, kindGateway}, kinds); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// An API server that does not answer takes nothing away.
func TestWatcherKeepsWhatItHasWhileTheServerIsAway(t *testing.T) {
	w, _ := watching(t, serving{"v1": {"Namespace"}})
	if err := w.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("away")
	w.discovery = broken{away}
	if err := w.poll(t.Context()); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if !w.ready(kindNamespace) {
		t.Error("the informer was ended")
	}
}

func TestWatchOnPoliciesWithoutASignOfLife(t *testing.T) {
	w, _ := watching(t, serving{"v1": {"Namespace"}, "cilium.io/v2": {"CiliumNetworkPolicy"}})
	now := time.Unix(0, 0)
	w.now = func() time.Time { return now }
	if err := w.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.heard[kindCiliumPolicy] = sign{"", now}
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{staleAfter, true}, {time.Second, false}} {
		now = now.Add(step.after)
		if _, ok := w.reader(kindCiliumPolicy); ok != step.want {
			t.Errorf("after %s: cached %v, want %v", now.Sub(time.Unix(0, 0)), ok, step.want)
		}
		if _, ok := w.reader(kindNamespace); !ok {
			t.Error("only policies are watched for it")
		}
	}
	w.heard[kindCiliumPolicy] = sign{"2", now}
	if _, ok := w.reader(kindCiliumPolicy); !ok {
		t.Error("a sign of life does not help")
	}
}
