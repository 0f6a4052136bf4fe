// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// feed keeps the packs of one kind in step with the API server: client-go's reflector without an informer's queues and indexes.
type feed struct {
	*packs
	reflector *toolscache.Reflector
	cancel    context.CancelFunc
}

// feeder makes feeds.
type feeder struct {
	api   client.WithWatch
	kinds map[kind]facts
	// forms are those of the kinds that are packed.
	forms   map[kind]form
	indexes map[kind][]index
}

// feed is a new one for a kind, or nil for a kind that is not packed.
func (f feeder) feed(k kind) *feed {
	form, ok := f.forms[k]
	if !ok {
		return nil
	}
	object, list := f.kinds[k].object, f.kinds[k].list
	if form.raw {
		object, list = untyped(form.gvk), untypedList(form.gvk)
	}
	selector := f.kinds[k].selector
	source := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			page := newList(facts{list: list})
			err := f.api.List(ctx, page, &client.ListOptions{
				LabelSelector: selector, Limit: options.Limit, Continue: options.Continue, Raw: &options,
			})
			return page, err //nolint:wrapcheck // reflectors look at what kind of an error it is
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return f.api.Watch(ctx, newList(facts{list: list}), &client.ListOptions{LabelSelector: selector, Raw: &options}) //nolint:wrapcheck // the same
		},
	}
	objects := newPacks(&form, f.indexes[k])
	reflector := toolscache.NewReflectorWithOptions(source, object, objects, toolscache.ReflectorOptions{Name: string(k)})
	return &feed{packs: objects, reflector: reflector}
}

// start lists and watches until the context is done or stop is called.
func (f *feed) start(ctx context.Context) {
	ctx, f.cancel = context.WithCancel(ctx)
	go f.reflector.RunWithContext(ctx)
}

func (f *feed) stop() { f.cancel() }

// LastSyncResourceVersion is the newest version that the API server has told of.
func (f *feed) LastSyncResourceVersion() string { return f.reflector.LastSyncResourceVersion() }
