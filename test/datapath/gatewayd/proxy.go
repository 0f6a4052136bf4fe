// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/daprise/daprise/test/model"
)

// proxy forwards what the model tells it to.
type proxy struct {
	now          *current
	http1, http2 *httputil.ReverseProxy
}

// forwarding is what the model says of one request.
type forwarding struct {
	request model.Request
	address string
	// forceQuery keeps a question mark that nothing follows.
	forceQuery bool
}

type forwardingKey struct{}

func newProxy(now *current) *proxy {
	through := func(protocols func(*http.Protocols)) *httputil.ReverseProxy {
		transport := &http.Transport{Protocols: &http.Protocols{}, MaxIdleConnsPerHost: 32, DisableCompression: true}
		protocols(transport.Protocols)
		return &httputil.ReverseProxy{
			Rewrite: rewrite, Transport: transport, FlushInterval: -1,
			ErrorHandler: func(rw http.ResponseWriter, r *http.Request, err error) {
				slog.Warn("no answer", "method", r.Method, "path", r.URL.Path, "error", err)
				rw.WriteHeader(http.StatusBadGateway)
			},
		}
	}
	return &proxy{
		now:   now,
		http1: through(func(p *http.Protocols) { p.SetHTTP1(true) }),
		http2: through(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }),
	}
}

func (p *proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	server := p.now.Load()
	path, query, hasQuery := strings.Cut(r.RequestURI, "?")
	request := model.Request{Method: r.Method, Host: r.Host, Path: path, Query: query, Header: r.Header}
	chosen := choose(server.Deliver(request))
	if chosen.Status != 0 {
		rw.WriteHeader(chosen.Status)
		return
	}
	backend, status := server.Backend(chosen)
	if status != 0 {
		rw.WriteHeader(status)
		return
	}
	f := forwarding{
		request: chosen.Request, forceQuery: hasQuery && query == "",
		address: backend.Addresses[rand.IntN(len(backend.Addresses))],
	}
	through := p.http1
	if backend.H2C {
		through = p.http2
	}
	through.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), forwardingKey{}, f)))
}

// choose picks one delivery by the weights. Mirrors are for nobody here.
func choose(deliveries []model.Delivery) model.Delivery {
	deliveries = slices.DeleteFunc(deliveries, func(d model.Delivery) bool { return d.Mirror })
	total := int32(0)
	for _, d := range deliveries {
		total += d.Weight
	}
	at := rand.Int32N(total)
	for _, d := range deliveries {
		if at -= d.Weight; at < 0 {
			return d
		}
	}
	return deliveries[len(deliveries)-1]
}

// rewrite makes the request that goes out what the model says, byte by byte in
// the path and the query. As with Envoy, the client's address is appended to
// X-Forwarded-For, and the Host stays.
func rewrite(p *httputil.ProxyRequest) {
	f, ok := p.In.Context().Value(forwardingKey{}).(forwarding)
	if !ok {
		return
	}
	kept := p.Out.Header // without the headers of one hop
	p.Out.Header = http.Header{}
	for name, values := range f.request.Header {
		if kept[name] != nil || p.In.Header[name] == nil || isForwarding(name) {
			p.Out.Header[name] = values
		}
	}
	client, _, err := net.SplitHostPort(p.In.RemoteAddr)
	if err == nil {
		p.Out.Header.Set("X-Forwarded-For", strings.Join(append(slices.Clone(p.Out.Header["X-Forwarded-For"]), client), ", "))
	}
	p.Out.Host = f.request.Host
	p.Out.URL = target(f)
}

// isForwarding names what ReverseProxy takes out although it is no header of one
// hop.
func isForwarding(name string) bool {
	return name == "Forwarded" || name == "X-Forwarded-For" || name == "X-Forwarded-Host" || name == "X-Forwarded-Proto"
}

func target(f forwarding) *url.URL {
	u := &url.URL{Scheme: "http", Host: f.address, RawQuery: f.request.Query, ForceQuery: f.forceQuery}
	path, err := url.PathUnescape(f.request.Path)
	if err != nil || !strings.HasPrefix(f.request.Path, "//") {
		u.Opaque = f.request.Path
		return u
	}
	// After "//", Opaque would be taken for an absolute URL.
	u.Path, u.RawPath = path, f.request.Path
	return u
}
