// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/model"
)

// atOnce is how many requests are under way at a time.
const atOnce = 8

// shape is a route as its author writes it, by its rules, and the paths at which it is tried.
type shape struct {
	name, rules string
	prefixes    []string
	// variants are tried at each of the prefixes.
	variants []request
}

func shapes() []shape {
	rule := func(name string) string {
		return `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-rule, value: ` + name + `}]}}], backendRefs: [{name: echo, port: 80}]`
	}
	return []shape{
		{name: "root", rules: `[{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: echo, port: 80}]}]`, prefixes: []string{"/"}},
		{name: "paths", rules: `[
{matches: [{path: {type: PathPrefix, value: /api}}, {path: {type: PathPrefix, value: /api/v2}, method: POST}, {path: {type: Exact, value: /exact}}], ` + rule("several") + `},
{matches: [{path: {type: PathPrefix, value: /api/v2/inner/}}], ` + rule("inner") + `},
{matches: [{path: {type: PathPrefix, value: /}}], ` + rule("rest") + `}]`,
			prefixes: []string{"/api", "/api/v2", "/api/v2/inner", "/exact", "/ap%69"}, variants: []request{{method: "POST"}}},
		{name: "replaced", rules: `[
{matches: [{path: {type: PathPrefix, value: /api}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v9/x}}}], backendRefs: [{name: echo, port: 80}]},
{matches: [{path: {type: PathPrefix, value: /strip}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], backendRefs: [{name: echo, port: 80}]},
{matches: [{path: {type: PathPrefix, value: /full}}], filters: [{type: URLRewrite, urlRewrite: {hostname: other.example.com, path: {type: ReplaceFullPath, replaceFullPath: /done}}}], backendRefs: [{name: echo, port: 80}]}]`,
			prefixes: []string{"/api", "/strip", "/full", "/none"}},
		{name: "matches", rules: `[
{matches: [{path: {type: PathPrefix, value: /}, headers: [{name: x-kind, value: a}]}], ` + rule("header") + `},
{matches: [{path: {type: PathPrefix, value: /}, queryParams: [{name: kind, value: b}]}], ` + rule("query") + `},
{matches: [{path: {type: PathPrefix, value: /}, method: DELETE}], ` + rule("method") + `},
{matches: [{path: {type: PathPrefix, value: /}}], ` + rule("rest") + `}]`,
			prefixes: []string{"/", "/a"}, variants: []request{
				{headers: [][2]string{{"X-Kind", "a"}}}, {headers: [][2]string{{"X-Kind", "b"}}}, {method: "DELETE"},
				{method: "DELETE", headers: [][2]string{{"X-Kind", "a"}}},
			}},
		{name: "expression", rules: `[{matches: [{path: {type: RegularExpression, value: "/item/[0-9]+"}}], ` + rule("item") + `}]`, prefixes: []string{"/item/42", "/item"}},
	}
}

// original is the route, for a gateway, in the form asked for.
func (s shape) original(form string) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %s-%s-SUFFIX, namespace: default, annotations: {daprise.dev/invoke: %s}}
spec:
  parentRefs: [{name: GATEWAY}]
  hostnames: [%s]
  rules: %s
`, s.name, form, form, s.host(form), strings.ReplaceAll(s.rules, "\n", " "))
}

func (s shape) host(form string) string { return s.name + "-" + form + ".example.com" }

// requests are those that the shape is tried with: tails at its prefixes, queries, and headers by which a client would choose target or
// caller.
func (s shape) requests(form string) []request {
	var all []request
	for _, prefix := range s.prefixes {
		for _, tail := range []string{
			"", "/", "/a", "/a/b", "/a/", "x", "//a", "/a//b", "/a/../b", "/./a", "/..", "/a%2Fb", "/%41%20b", "/%C3%A9", "/a%23", "/a%3Fb", "/a%25b",
			"/a%2541", "/a%00", "/a%3bb", "/a%5Cb", "/a:b@c=d,e!f'(g)*~+;", "/v1.0/metadata", "/v1.0/healthz", "/v1.0/invoke/whoami.default/method/x",
			"/../../../v1.0/metadata", "/%2e%2e/%2e%2e/whoami.default/method/x", "/method/x", "/a?", "/a?q=1%2F2&q=%20+&c", "/a?kind=b", "/a?kind=a&kind=b", "?x=/../y",
		} {
			path := strings.TrimSuffix(prefix, "/") + tail
			if !strings.HasPrefix(path, "/") {
				path = "/" + path
			}
			all = append(all, request{path: path})
		}
		for _, variant := range s.variants {
			variant.path = prefix
			all = append(all, variant)
		}
		for _, name := range []string{"dapr-app-id", "Dapr-Callee-App-Id", "dapr-caller-app-id", "dapr-caller-namespace", "dapr-api-token"} {
			all = append(all, request{path: prefix, headers: [][2]string{{name, "whoami.default"}, {"X-Client", "1"}, {"X-Client", "2"}}})
		}
	}
	for i := range all {
		all[i].host = s.host(form)
	}
	return all
}

// arrival is what becomes of a request, by a model or in truth.
type arrival struct {
	Status         int
	App            string
	Method         string
	URI            string
	Rule, Client   []string
	Caller, Callee []string
	Token          []string
}

// inModel is the request as the models take it.
func (r request) inModel() model.Request {
	m := model.Request{Method: http.MethodGet, Host: r.host, Header: http.Header{}}
	if r.method != "" {
		m.Method = r.method
	}
	m.Path, m.Query, _ = strings.Cut(r.path, "?")
	for _, h := range r.headers {
		m.Header.Add(h[0], h[1])
	}
	return m
}

// predicted is what the models say of a request: the gateway's, then daprd's.
func predicted(server model.Server, r request, ingress string) arrival {
	d := server.Deliver(r.inModel())[0]
	if d.Status != 0 {
		return arrival{Status: d.Status}
	}
	if d.To != (model.Service{Namespace: namespace, Name: ingress + "-dapr", Port: 3500}) {
		return arrival{App: "past the mesh: " + d.To.Name}
	}
	return arrived(model.Daprd{Namespace: namespace}.HTTP(d.Request), ingress)
}

// arrived adds what daprd says to an app by itself.
func arrived(a model.Arrival, caller string) arrival {
	if a.Status != 0 || a.Outside != "" {
		return arrival{Status: a.Status, App: a.Outside}
	}
	if a.To.Namespace != namespace || a.To.ID != "echo" && a.To.ID != "whoami" {
		return arrival{Status: http.StatusInternalServerError} // there is no such app
	}
	h := a.Request.Header
	uri := a.Request.Path
	if a.Request.Query != "" {
		uri += "?" + a.Request.Query
	}
	return arrival{
		Status: http.StatusOK, App: a.To.ID, Method: a.Request.Method, URI: uri, Rule: h["X-Rule"], Client: h["X-Client"], Token: h["Dapr-Api-Token"],
		Caller: append(slices.Clone(h["Dapr-Caller-App-Id"]), caller), Callee: append(slices.Clone(h["Dapr-Callee-App-Id"]), a.To.ID),
	}
}

// delivered is what really became of it.
func delivered(r response) arrival {
	s := seen{}
	if a := read(r.status, r.body); a.app != "" {
		line := strings.Fields(a.received)
		s = seen{App: "whoami", Method: line[0], URI: line[1], Header: a.header}
	} else if !strings.HasPrefix(r.body, "{") || json.Unmarshal([]byte(r.body), &s) != nil || s.App == "" {
		return arrival{Status: r.status}
	}
	return arrival{
		Status: r.status, App: s.App, Method: s.Method, URI: s.URI, Rule: s.Header["X-Rule"], Client: s.Header["X-Client"],
		Caller: s.Header["Dapr-Caller-App-Id"], Callee: s.Header["Dapr-Callee-App-Id"], Token: s.Header["Dapr-Api-Token"],
	}
}

// sendAll sends all requests, some at a time, and returns the responses in order.
func sendAll(ctx context.Context, address string, requests []request) ([]response, error) {
	responses := make([]response, len(requests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, r := range requests {
		group.Go(func() error {
			var err error
			if responses[i], err = send(ctx, address, r); err != nil {
				return fmt.Errorf("%s %s%s: %w", r.method, r.host, r.path, err)
			}
			return nil
		})
	}
	return responses, group.Wait()
}

func forms() []string { return []string{"prefix", "header"} }

// What the models of the gateways and of daprd say of a request, over the whole matrix, is what Traefik and the gateways of the models,
// and daprd, really do with it.
func TestModelsAreRight(t *testing.T) {
	models(t)
	var manifests []string
	for _, s := range shapes() {
		for _, form := range forms() {
			manifests = append(manifests, s.original(form))
		}
	}
	routed(t, strings.Join(manifests, "---\n"))
	used := &deviationsSeen{seen: map[string]int{}}
	for _, p := range gateways() {
		t.Run(p.name, func(t *testing.T) { compare(t, p, used) })
	}
	for _, d := range deviations() {
		if used.seen[d.name] == 0 {
			t.Errorf("no request shows the deviation %q: take it out of the table", d.name)
		}
	}
	tell(t, "requests on which Traefik deviates from the specification: %v", used.seen)
}

func compare(t *testing.T, p played, used *deviationsSeen) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	address, err := p.address(ctx)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, s := range shapes() {
		for _, form := range forms() {
			p.follows(ctx, t, s, form)
			server, err := p.serving(ctx)
			if err != nil {
				t.Fatal(err)
			}
			requests := s.requests(form)
			responses, err := sendAll(ctx, address, requests)
			if err != nil {
				t.Fatal(err)
			}
			total += len(requests)
			for i, r := range requests {
				got := delivered(responses[i])
				if diff := cmp.Diff(predicted(server, r, p.ingress), got); diff != "" {
					t.Errorf("%s, %s: %s %s %v: -model +truth:\n%s", s.name, form, r.method, r.path, r.headers, diff)
				}
				if p.model == model.Traefik {
					checkSpecified(t, specified{shape: s, form: form, request: r, got: got}, used)
				}
			}
		}
	}
	tell(t, "%d requests", total)
}

// follows waits until the gateway has a route: until it answers as the model with the stored route says.
func (p played) follows(ctx context.Context, t *testing.T, s shape, form string) {
	t.Helper()
	address, err := p.address(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, p.name+" follows "+s.host(form), func(ctx context.Context) error {
		got, err := send(ctx, address, request{host: s.host(form), path: s.prefixes[0]})
		if err != nil {
			return err
		}
		if d := delivered(got); d.App != "echo" || !slices.Equal(d.Caller, []string{p.ingress}) {
			return fmt.Errorf("%d: %.300s", got.status, got.body)
		}
		return nil
	})
}

// deviation is where a request through Traefik and the companions ends otherwise than the Gateway API's specification has it.
type deviation struct {
	name, reason string
	applies      func(specified) bool
}

// deviations are all of them that the matrix shows; docs/limits.md says the same in words.
func deviations() []deviation {
	return []deviation{
		{
			name:   "paths are cleaned",
			reason: "entry points resolve dot segments and empty ones before a rule is looked for (sanitizePath)",
			applies: func(s specified) bool {
				path, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(s.request.path), "%2e", "."), "?")
				return strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/..")
			},
		},
		{
			name:    "encoded letters are letters",
			reason:  "entry points decode unreserved characters before a rule is looked for (normalizePath)",
			applies: func(s specified) bool { return strings.HasPrefix(s.request.path, "/ap%69") },
		},
		{
			name:   "a stripped prefix leaves no slash",
			reason: "the replacement and an empty rest are joined to a path without the slash that Dapr needs (urlrewrite, JoinPath); header form is right",
			applies: func(s specified) bool {
				path, _, _ := strings.Cut(s.request.path, "?")
				return s.shape.name == "replaced" && s.form == "prefix" && (path == "/strip" || path == "/strip/")
			},
		},
		{
			name:   "expressions match parts of paths",
			reason: "PathRegexp looks for the expression anywhere in the path",
			applies: func(s specified) bool {
				return s.shape.name == "expression" && strings.HasPrefix(s.request.path, "/item/42")
			},
		},
		{
			name:   "a method outweighs a longer prefix",
			reason: "a rule's priority is a sum in which a method counts as much as ten characters of the path (buildMatchRule)",
			applies: func(s specified) bool {
				return s.shape.name == "paths" && s.request.method == http.MethodPost && s.request.path == "/api/v2/inner"
			},
		},
		{
			name:    "what no rule of a host takes",
			reason:  "goes to a route that names no host, the example's",
			applies: func(s specified) bool { return s.want.Status == http.StatusNotFound },
		},
		{
			name:   "the companion's health check",
			reason: "in header form daprd answers its own path by itself (docs/routes.md)",
			applies: func(s specified) bool {
				return s.form == "header" && s.got.Status == http.StatusNoContent && strings.HasSuffix(s.request.path, "/v1.0/healthz")
			},
		},
		{
			name:   "any value of a query parameter counts",
			reason: "the specification takes the first",
			applies: func(s specified) bool {
				return s.shape.name == "matches" && strings.HasSuffix(s.request.path, "?kind=a&kind=b")
			},
		},
	}
}

type deviationsSeen struct {
	mu   sync.Mutex
	seen map[string]int
}

// specified is a request to Traefik, what it is asked of and what became of it.
type specified struct {
	shape   shape
	form    string
	request request
	got     arrival
	want    arrival // as specified
}

// checkSpecified holds what Traefik and the companions did against the user's own route, read as the specification says, and what Dapr
// carries of the request; only the deviations may differ.
func checkSpecified(t *testing.T, s specified, used *deviationsSeen) {
	t.Helper()
	var route gatewayv1.HTTPRoute
	if err := yaml.Unmarshal([]byte(s.shape.original(s.form)), &route); err != nil {
		t.Fatal(err)
	}
	s.want = meant(&route, s.request)
	if cmp.Equal(s.want, s.got) {
		return
	}
	for _, d := range deviations() {
		if d.applies(s) {
			used.mu.Lock()
			used.seen[d.name]++
			used.mu.Unlock()
			return
		}
	}
	t.Errorf("%s, %s: %s %s %v: -as specified +truth:\n%s", s.shape.name, s.form, s.request.method, s.request.path, s.request.headers, cmp.Diff(s.want, s.got))
}

// meant is what the user's own route means: delivery to the app by the specification, as Dapr carries it, and without what a client says
// to Dapr.
func meant(route *gatewayv1.HTTPRoute, r request) arrival {
	asked := r.inModel()
	for _, name := range []string{"Dapr-App-Id", "Dapr-Callee-App-Id", "Dapr-Caller-App-Id", "Dapr-Caller-Namespace", "Dapr-Api-Token"} {
		asked.Header.Del(name)
	}
	d := model.Gateway{Implementation: model.Specification, Routes: []*gatewayv1.HTTPRoute{route}}.Deliver(asked)[0]
	if d.Status != 0 {
		return arrival{Status: d.Status}
	}
	d.Request.Path = "/v1.0/invoke/echo.default/method/" + d.Request.Path
	return arrived(model.Daprd{Namespace: namespace}.HTTP(d.Request), "ingress")
}
