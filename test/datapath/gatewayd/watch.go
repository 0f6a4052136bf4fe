// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/test/model"
)

// watcher follows the API server.
type watcher struct {
	implementation model.Implementation
	parent         model.Parent
	now            current

	cache   cache.Cache
	changed chan struct{}
}

// start returns when everything has been read once, and goes on until ctx ends.
func (w *watcher) start(ctx context.Context, config *rest.Config) error {
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), gatewayv1.Install(known)); err != nil {
		return err
	}
	var err error
	if w.cache, err = cache.New(config, cache.Options{Scheme: known, ReaderFailOnMissingInformer: true}); err != nil {
		return err
	}
	w.changed = make(chan struct{}, 1)
	for _, object := range []client.Object{
		&corev1.Namespace{}, &corev1.Service{}, &discoveryv1.EndpointSlice{},
		&gatewayv1.Gateway{}, &gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}, &gatewayv1.ReferenceGrant{},
	} {
		informer, err := w.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(w.handler()); err != nil {
			return err
		}
	}
	go func() {
		if err := w.cache.Start(ctx); err != nil {
			slog.Error("watch", "error", err)
		}
	}()
	if !w.cache.WaitForCacheSync(ctx) {
		return errors.New("the caches do not fill")
	}
	if err := w.read(ctx); err != nil {
		return err
	}
	go w.follow(ctx)
	return nil
}

func (w *watcher) handler() toolscache.ResourceEventHandler {
	touch := func() {
		select {
		case w.changed <- struct{}{}:
		default: // asked for already
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { touch() },
		UpdateFunc: func(any, any) { touch() },
		DeleteFunc: func(any) { touch() },
	}
}

func (w *watcher) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		if err := w.read(ctx); err != nil && ctx.Err() == nil {
			slog.Error("read the caches", "error", err)
		}
	}
}

// read makes a new gateway of what the caches hold.
func (w *watcher) read(ctx context.Context) error {
	var (
		namespaces corev1.NamespaceList
		services   corev1.ServiceList
		slices     discoveryv1.EndpointSliceList
		gateways   gatewayv1.GatewayList
		httpRoutes gatewayv1.HTTPRouteList
		grpcRoutes gatewayv1.GRPCRouteList
		grants     gatewayv1.ReferenceGrantList
	)
	for _, list := range []client.ObjectList{&namespaces, &services, &slices, &gateways, &httpRoutes, &grpcRoutes, &grants} {
		if err := w.cache.List(ctx, list); err != nil {
			return err
		}
	}
	cluster := model.Cluster{
		Namespaces: namespaces.Items, Gateways: gateways.Items, HTTPRoutes: httpRoutes.Items, GRPCRoutes: grpcRoutes.Items,
		Grants: grants.Items, Services: services.Items, Slices: slices.Items,
	}
	server := cluster.Serve(w.implementation, w.parent)
	w.now.Store(&server)
	return nil
}

func (w *watcher) health() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if w.now.Load() == nil {
			http.Error(rw, "the caches are not filled", http.StatusServiceUnavailable)
		}
	})
}
