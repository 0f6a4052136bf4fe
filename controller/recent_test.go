// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/mesh"
)

func TestRecentLoadsAreUsedUntilSomethingChanges(t *testing.T) {
	var lists atomic.Int32
	reader := builder(t, objects()...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists.Add(1)
			return c.List(ctx, list, options...)
		},
	}).Build()
	loader := NewLoader(mesh.DefaultConfig(), reader)
	now := time.Unix(0, 0)
	loader.recent.now = func() time.Time { return now }
	fresh := func() bool {
		t.Helper()
		before := lists.Load()
		if _, err := loader.namespace(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		return lists.Load() != before
	}
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"the first time", func() {}, true},
		{"nothing has changed", func() {}, false},
		{"something has changed", func() { loader.recent.changed("shop") }, true},
		{"nothing has changed again", func() {}, false},
		{"time has passed", func() { now = now.Add(recentFor) }, true},
		{"the namespace was forgotten", func() { loader.recent.forget("shop") }, true},
	} {
		step.do()
		if got := fresh(); got != step.want {
			t.Errorf("%s: loaded again %v, want %v", step.name, got, step.want)
		}
	}
}

// What is too old to be used is not kept.
func TestOldLoadsAreLetGo(t *testing.T) {
	loader := NewLoader(mesh.DefaultConfig(), builder(t, objects()...).Build())
	now := time.Unix(0, 0)
	loader.recent.now = func() time.Time { return now }
	for _, step := range []struct {
		namespace string
		want      int
	}{{"shop", 1}, {"infra", 2}, {"other", 1}} {
		if _, err := loader.namespace(t.Context(), step.namespace); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, s := range loader.recent.slots {
			if s.loaded.world.View != nil {
				held++
			}
		}
		if held != step.want {
			t.Errorf("%d loads are held after that of %s, want %d", held, step.namespace, step.want)
		}
		if now = now.Add(recentFor / 2); step.namespace == "infra" {
			now = now.Add(recentFor)
		}
	}
}
