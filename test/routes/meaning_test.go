// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/model"
)

// deliverer is a model of a gateway, for either kind of route.
type deliverer interface {
	Deliver(r model.Request) []model.Delivery
}

// end is where a request ends, with its share in percent of a million, so that shares compare as numbers.
type end struct {
	To     string
	Mirror bool
	Status int
	Method string
	Path   string
	Query  string
	Header http.Header
}

// ends adds up the shares of equal ends.
func ends(deliveries []end, weights []int32) map[string]int64 {
	total := int64(0)
	for i := range deliveries {
		if !deliveries[i].Mirror {
			total += int64(weights[i])
		}
	}
	shares := map[string]int64{}
	for i := range deliveries {
		data, err := json.Marshal(deliveries[i])
		if err != nil {
			panic(err) // strings alone
		}
		if deliveries[i].Mirror {
			shares[string(data)]++
		} else {
			shares[string(data)] += int64(weights[i]) * 1_000_000 / total
		}
	}
	return shares
}

// past is where a request ends without the mesh, and as Dapr would carry it there: without the headers by which Dapr believes
// clients, with a clean path where the way leads to an app of the mesh.
func past(gateway deliverer, view *mesh.View, r model.Request) map[string]int64 {
	var all []end
	var weights []int32
	for _, d := range gateway.Deliver(r) {
		weights = append(weights, d.Weight)
		if d.Status != 0 {
			all = append(all, end{Status: d.Status})
			continue
		}
		all = append(all, direct(view, d))
	}
	return ends(all, weights)
}

// through is where a request ends on its way through the companions.
func through(gateway deliverer, view *mesh.View, r model.Request) map[string]int64 {
	var all []end
	var weights []int32
	for _, d := range gateway.Deliver(r) {
		weights = append(weights, d.Weight)
		var e end
		switch ingress, ok := ingressOf(view, d.To); {
		case d.Status != 0:
			e = end{Status: d.Status}
		case ok && d.To.Port == mesh.PortGRPC:
			e = arrived(view, model.Daprd{Namespace: ingress.Namespace}.GRPC(d.Request))
			e.Header = withoutDapr(e.Header)
		case ok:
			e = arrived(view, model.Daprd{Namespace: ingress.Namespace}.HTTP(d.Request))
			e.Mirror = d.Mirror
		default:
			e = direct(view, d)
		}
		all = append(all, e)
	}
	return ends(all, weights)
}

// direct is a delivery that goes past the companions, as Dapr would carry it where it leads to an app of the mesh.
func direct(view *mesh.View, d model.Delivery) end {
	e := end{
		To: fmt.Sprintf("%s/%s:%d", d.To.Namespace, d.To.Name, d.To.Port), Mirror: d.Mirror, Method: d.Request.Method,
		Path: decoded(d.Request.Path), Query: d.Request.Query, Header: withoutDapr(d.Request.Header),
	}
	if _, enrolled := view.AppOfService(mesh.Name{Namespace: d.To.Namespace, Name: d.To.Name}); enrolled && !d.Mirror {
		var carries bool
		if e.Path, carries = carriedPath(d.Request.Path); !carries {
			return end{Status: http.StatusInternalServerError}
		}
		if e.Header.Get("Content-Type") != "application/grpc" {
			e.Header = carriedHeader(e.Header)
		}
	}
	return e
}

// carriedHeader is what the app gets of a request's headers over HTTP (docs/routes.md, "What Dapr does not carry").
func carriedHeader(header http.Header) http.Header {
	left := http.Header{}
	for name, values := range header {
		switch lower := strings.ToLower(name); {
		case slices.Contains([]string{
			"connection", "destination-app-id", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
			"transfer-encoding", "upgrade",
		}, lower), strings.HasSuffix(lower, "-bin"):
		case strings.HasPrefix(lower, "grpc-"):
			left[http.CanonicalHeaderKey("dapr-"+lower)] = values
		default:
			left[name] = values
		}
	}
	return left
}

func arrived(view *mesh.View, a model.Arrival) end {
	if a.Status != 0 {
		status := a.Status
		if status == http.StatusBadRequest {
			status = http.StatusInternalServerError // both say that the path cannot be carried
		}
		return end{Status: status}
	}
	e := end{
		To: "app " + a.To.ID + "." + a.To.Namespace, Method: a.Request.Method, Path: decoded(a.Request.Path),
		Query: a.Request.Query, Header: a.Request.Header,
	}
	if app, ok := view.App(mesh.AppRef{Namespace: a.To.Namespace, ID: a.To.ID}); ok {
		e.To = fmt.Sprintf("%s/%s:%d", app.Namespace, app.Service, app.Port)
	}
	if e.Path == "" {
		e.Path = "/"
	}
	return e
}

// ingressOf finds the companion behind a Service: its own, or one of those in front of it for one app.
func ingressOf(view *mesh.View, to model.Service) (mesh.Ingress, bool) {
	for _, g := range view.Ingresses {
		if g.Namespace != to.Namespace || to.Port != mesh.PortHTTP && to.Port != mesh.PortGRPC {
			continue
		}
		if to.Name == mesh.CompanionName(g.ID) {
			return g, true
		}
		for _, a := range view.Apps {
			if to.Name == mesh.SplitServiceName(g.AppRef, a.AppRef) && to.Port == mesh.PortHTTP {
				return g, true
			}
		}
	}
	return mesh.Ingress{}, false
}

// carriedPath is what is left of a path behind Dapr, which decodes and cleans it, and decodes it once more; false where Dapr answers with
// an error.
func carriedPath(encoded string) (string, bool) {
	plain := decoded(encoded)
	if !strings.HasPrefix(plain, "/") {
		return "", false // no request at all
	}
	plain = path.Clean(plain)
	if strings.ContainsAny(plain, "#?") || strings.ContainsFunc(plain, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return "", false
	}
	again, err := url.PathUnescape(plain)
	return again, err == nil
}

func decoded(encoded string) string {
	plain, err := url.PathUnescape(encoded)
	if err != nil {
		return encoded
	}
	return plain
}

func withoutDapr(header http.Header) http.Header {
	left := header.Clone()
	for _, name := range []string{"dapr-app-id", "dapr-api-token", "dapr-callee-app-id", "dapr-caller-app-id", "dapr-caller-namespace"} {
		left.Del(name)
	}
	return left
}

// checkMeaning wants a rewritten route to do with requests what the original does, on each implementation of the gateway that the View's
// config stands for. What is compared, for each implementation and request, are the ends of the original on that very implementation
// (past) with those of the rewritten route on it and through the companions (through): target, share, mirrors, status, method, path, query
// and headers, exactly. Where an implementation gets the specification wrong, it has to do so with and without the mesh.
func checkMeaning(t tester, original, rewritten *gatewayv1.HTTPRoute, view *mesh.View, requests []model.Request) {
	t.Helper()
	gateway := func(implementation model.Implementation, route *gatewayv1.HTTPRoute) deliverer {
		return model.Gateway{Implementation: implementation, Routes: []*gatewayv1.HTTPRoute{route}}
	}
	for _, implementation := range implementationsOf(view) {
		ways := ways{before: gateway(implementation, original), after: gateway(implementation, rewritten)}
		for _, r := range requests {
			if healthCheck(rewritten, r) {
				continue
			}
			if diff := ways.compare(view, r); diff != "" {
				t.Errorf("%s, %s\noriginal: %s\nrewritten: %s", implementation, diff, encoded(t, original.Spec), encoded(t, rewritten.Spec))
				return
			}
		}
	}
}

// checkGRPCMeaning is checkMeaning for GRPCRoutes.
func checkGRPCMeaning(t tester, original, rewritten *gatewayv1.GRPCRoute, view *mesh.View, calls []model.Request) {
	t.Helper()
	gateway := func(implementation model.Implementation, route *gatewayv1.GRPCRoute) deliverer {
		return model.GRPCGateway{Implementation: implementation, Routes: []*gatewayv1.GRPCRoute{route}}
	}
	for _, implementation := range implementationsOf(view) {
		ways := ways{before: gateway(implementation, original), after: gateway(implementation, rewritten)}
		for _, r := range calls {
			if diff := ways.compare(view, r); diff != "" {
				t.Errorf("%s, %s\noriginal: %s\nrewritten: %s", implementation, diff, encoded(t, original.Spec), encoded(t, rewritten.Spec))
				return
			}
		}
	}
}

// ways are the original and the rewritten route on one implementation of the gateway.
type ways struct{ before, after deliverer }

// compare tells what the rewritten route does otherwise than the original.
func (w ways) compare(view *mesh.View, r model.Request) string {
	got, want := through(w.after, view, r), past(w.before, view, r)
	if cmp.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("%s %s?%s %v (-past the mesh +through it):\n%s", r.Method, r.Path, r.Query, r.Header, cmp.Diff(want, got))
}

// implementationsOf are the models that a View's gateway.implementation stands for.
func implementationsOf(view *mesh.View) []model.Implementation {
	if view.Config.Gateway.Implementation == "traefik" {
		return []model.Implementation{model.Traefik}
	}
	return []model.Implementation{model.Specification, model.Cilium118, model.Cilium119}
}

// healthCheck says whether a request is one that a companion answers by itself in header form: documented, in docs/routes.md.
func healthCheck(rewritten *gatewayv1.HTTPRoute, r model.Request) bool {
	named := slices.ContainsFunc(rewritten.Spec.Rules, func(rule gatewayv1.HTTPRouteRule) bool {
		invocation, ok := mesh.RuleInvocation(rule.Filters)
		return ok && invocation.Form == mesh.InvokeHeader
	})
	return named && strings.HasPrefix(path.Clean(decoded(r.Path)), "/v1.0/healthz")
}
