// SPDX-License-Identifier: Apache-2.0

// Command gatewayd is a gateway that does with requests what the models of
// test/model say: the routes, Services and EndpointSlices come from the API
// server, matching and rewriting from the model, and only the forwarding is its
// own. With it the routes that daprise stores are tried on gateways that do not
// run here, such as Cilium's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/go-logr/logr"

	"github.com/daprise/daprise/test/model"
)

// shutdown is how long requests under way may take once it is asked to end.
const shutdown = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("gatewayd stops", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	parent := flag.String("parent", "", "what it serves: Gateway/NAMESPACE/NAME or Service/NAMESPACE/NAME")
	port := flag.Int("port", 80, "the port of the parent, at which it listens, too")
	rewriting := flag.String("rewriting", string(model.Cilium119), "the model of the gateway that it plays")
	health := flag.String("health", ":8082", "where it says that it is ready")
	flag.Parse()
	kind, rest, _ := strings.Cut(*parent, "/")
	namespace, name, ok := strings.Cut(rest, "/")
	if !ok || kind != "Gateway" && kind != "Service" {
		return fmt.Errorf("--parent is %q, want Gateway/NAMESPACE/NAME or Service/NAMESPACE/NAME", *parent)
	}
	implementation := model.Implementation(*rewriting)
	if !slices.Contains(model.Implementations(), implementation) {
		return fmt.Errorf("--rewriting is %q, want one of %v", *rewriting, model.Implementations())
	}
	ctrllog.SetLogger(logr.FromSlogHandler(slog.Default().Handler()))
	config, err := config.GetConfig()
	if err != nil {
		return err
	}
	w := &watcher{implementation: implementation, parent: model.Parent{Kind: kind, Namespace: namespace, Name: name, Port: int32(*port)}}
	if err := w.start(ctx, config); err != nil {
		return err
	}
	p := newProxy(&w.now)
	return serve(ctx, map[string]http.Handler{fmt.Sprintf(":%d", *port): p, *health: w.health()})
}

// serve serves until ctx ends.
func serve(ctx context.Context, handlers map[string]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for address, handler := range handlers {
		var protocols http.Protocols
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Addr: address, Handler: handler, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20}
		servers = append(servers, server)
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
	defer cancel()
	var err error
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(ctx))
	}
	return err
}

// current is the gateway as of the last change that was seen.
type current = atomic.Pointer[model.Server]
