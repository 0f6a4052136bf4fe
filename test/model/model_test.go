// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/model"
)

const m = "/v1.0/invoke/whoami.default/method"

func route(t *testing.T, rules string) *gatewayv1.HTTPRoute {
	t.Helper()
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "r"}}
	if err := yaml.UnmarshalStrict([]byte("rules: "+rules), &r.Spec); err != nil {
		t.Fatal(err)
	}
	return r
}

func get(path string) model.Request {
	return model.Request{Method: http.MethodGet, Host: "example.com", Path: path, Header: http.Header{}}
}

// TestRewriting is the table of facts about ReplacePrefixMatch: what each gateway sends upstream.
func TestRewriting(t *testing.T) {
	for _, c := range []struct {
		match, value, path        string
		v118, v119, traefik, spec string
	}{
		{"/", m + "//", "/", m + "/", m + "/", m + "/", m + "//"},
		{"/", m + "//", "/a", m + "/a", m + "/a", m + "/a", m + "//a"},
		{"/", m + "/", "/", m, m + "/", m + "/", m + "/"},
		{"/", m + "/", "/a", m + "a", m + "/a", m + "/a", m + "/a"},
		{"/", m, "/a", m + "a", m + "/a", m + "/a", m + "/a"},
		{"/api", m + "/api", "/api", m + "/api", m + "/api", m + "/api", m + "/api"},
		{"/api", m + "/api", "/api/a", m + "/api/a", m + "/api/a", m + "/api/a", m + "/api/a"},
		{"/api", m + "//", "/api", m + "/", m + "/", m, m + "/"},
		{"/api", m + "//", "/api/a", m + "//a", m + "//a", m + "/a", m + "//a"},
		{"/api/", m + "/api", "/api/a", m + "/api/a", m + "/api/a", m + "/api/a", m + "/api/a"},
		{"/api", "/", "/api", "/", "/", "/", "/"},
		{"/api", "", "/api/a", "/a", "/a", "a", "/a"},
	} {
		t.Run(c.match+" to "+c.value+" "+c.path, func(t *testing.T) {
			r := route(t, `[{matches: [{path: {type: PathPrefix, value: "`+c.match+`"}}], backendRefs: [{name: b, port: 80}],
				filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "`+c.value+`"}}}]}]`)
			want := map[model.Implementation]string{
				model.Cilium118: c.v118, model.Cilium119: c.v119, model.Traefik: c.traefik, model.Specification: c.spec,
			}
			for _, implementation := range model.Implementations() {
				got := model.Gateway{Implementation: implementation, Routes: []*gatewayv1.HTTPRoute{r}}.Deliver(get(c.path))
				if len(got) != 1 || got[0].Request.Path != want[implementation] {
					t.Errorf("%s: want %s, got %+v", implementation, want[implementation], got)
				}
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	rules := `[
		{name: root, backendRefs: [{name: root, port: 80}]},
		{name: api, matches: [{path: {value: /api}}], backendRefs: [{name: api, port: 80}]},
		{name: post, matches: [{path: {value: /api}, method: POST}], backendRefs: [{name: post, port: 80}]},
		{name: headers, matches: [{path: {value: /api}, headers: [{name: x-a, value: a}]}], backendRefs: [{name: headers, port: 80}]},
		{name: query, matches: [{path: {value: /api}, queryParams: [{name: q, value: "1"}]}], backendRefs: [{name: query, port: 80}]},
		{name: exact, matches: [{path: {type: Exact, value: /api/x}}], backendRefs: [{name: exact, port: 80}]},
		{name: pattern, matches: [{path: {type: RegularExpression, value: "/api/[a-z]"}}], backendRefs: [{name: pattern, port: 80}]},
		{name: again, matches: [{path: {value: /api}}], backendRefs: [{name: again, port: 80}]},
		{name: nothing, matches: [{path: {value: /none}}], backendRefs: []},
		{name: moved, matches: [{path: {value: /moved}}], filters: [{type: RequestRedirect, requestRedirect: {port: 8443}}]}]`
	for _, c := range []struct {
		name    string
		request func(*model.Request)
		to      string
		status  int
	}{
		{name: "prefix", request: func(r *model.Request) { r.Path = "/api/1" }, to: "api"},
		{name: "the prefix itself", request: func(r *model.Request) { r.Path = "/api" }, to: "api"},
		{name: "no element of the prefix", request: func(r *model.Request) { r.Path = "/apix" }, to: "root"},
		{name: "exact", request: func(r *model.Request) { r.Path = "/api/x" }, to: "exact"},
		{name: "pattern", request: func(r *model.Request) { r.Path = "/api/y" }, to: "pattern"},
		{name: "method", request: func(r *model.Request) { r.Path, r.Method = "/api/1", http.MethodPost }, to: "post"},
		{name: "method before headers", request: func(r *model.Request) {
			r.Path, r.Method, r.Header = "/api/1", http.MethodPost, http.Header{"X-A": {"a"}}
		}, to: "post"},
		{name: "headers before query", request: func(r *model.Request) {
			r.Path, r.Query, r.Header = "/api/1", "q=1", http.Header{"X-A": {"a"}}
		}, to: "headers"},
		{name: "query", request: func(r *model.Request) { r.Path, r.Query = "/api/1", "q=1&q=2" }, to: "query"},
		{name: "no backends", request: func(r *model.Request) { r.Path = "/none" }, status: http.StatusInternalServerError},
		{name: "redirect", request: func(r *model.Request) { r.Path = "/moved" }, status: http.StatusFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := get("/")
			c.request(&r)
			got := model.Gateway{Implementation: model.Cilium119, Routes: []*gatewayv1.HTTPRoute{route(t, rules)}}.Deliver(r)
			if len(got) != 1 || got[0].To.Name != c.to || got[0].Status != c.status {
				t.Errorf("want %q %d, got %+v", c.to, c.status, got)
			}
		})
	}
}

// TestTraefikPrecedence is where Traefik takes another rule than the specification does.
func TestTraefikPrecedence(t *testing.T) {
	rules := `[
		{name: short, matches: [{path: {value: /a}, method: POST}], backendRefs: [{name: method, port: 80}]},
		{name: long, matches: [{path: {value: /a/bcdefgh}}], backendRefs: [{name: longer, port: 80}]},
		{name: pattern, matches: [{path: {type: RegularExpression, value: "/p"}}], backendRefs: [{name: pattern, port: 80}]},
		{name: header, matches: [{path: {value: /h}, headers: [{name: x-a, value: a}]}], backendRefs: [{name: header, port: 80}]},
		{name: query, matches: [{path: {value: /h}, queryParams: [{name: q, value: "2"}]}], backendRefs: [{name: query, port: 80}]}]`
	for _, c := range []struct {
		name           string
		request        model.Request
		specified, got string
	}{
		{name: "a method beats a prefix that is a little longer", request: model.Request{Method: "POST", Path: "/a/bcdefgh"}, specified: "longer", got: "method"},
		{name: "an expression for a part", request: model.Request{Method: "GET", Path: "/x/p/y"}, got: "pattern"},
		{name: "one of several values of a header", request: model.Request{Method: "GET", Path: "/h", Header: http.Header{"X-A": {"b", "a"}}}, got: "header"},
		{name: "another value of a parameter", request: model.Request{Method: "GET", Path: "/h", Query: "q=1&q=2"}, got: "query"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for implementation, want := range map[model.Implementation]string{model.Specification: c.specified, model.Traefik: c.got} {
				got := model.Gateway{Implementation: implementation, Routes: []*gatewayv1.HTTPRoute{route(t, rules)}}.Deliver(c.request)
				if got[0].To.Name != want {
					t.Errorf("%s: to %q, want %q", implementation, got[0].To.Name, want)
				}
			}
		})
	}
}

// TestWeightedHeaders is where Cilium keeps the headers of weighted backends apart, and where it does not.
func TestWeightedHeaders(t *testing.T) {
	set := func(v string) string {
		return `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: ` + v + `}]}}]`
	}
	for _, c := range []struct {
		name, first, second string
		filters             string
		want                []string
	}{
		{name: "two Services", first: "a", second: "b", want: []string{"1", "2"}},
		{name: "one Service twice", first: "a", second: "a", want: []string{"2", "2"}},
		{name: "the rule's come last", first: "a", second: "b", filters: "[{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}]", want: []string{"", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			filters := c.filters
			if filters == "" {
				filters = "[]"
			}
			r := route(t, `[{filters: `+filters+`, backendRefs: [{name: `+c.first+`, port: 80, `+set(`"1"`)+`}, {name: `+c.second+`, port: 80, `+set(`"2"`)+`}]}]`)
			var got []string
			for _, d := range (model.Gateway{Implementation: model.Cilium119, Routes: []*gatewayv1.HTTPRoute{r}}).Deliver(get("/")) {
				got = append(got, d.Request.Header.Get("X"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDaprd is the table of facts about invocation over HTTP.
func TestDaprd(t *testing.T) {
	whoami, other := model.App{ID: "whoami", Namespace: "default"}, model.App{ID: "other", Namespace: "default"}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("dapr-app-id:other"))
	for _, c := range []struct {
		name, path string
		header     http.Header
		to         model.App
		seen       string
		status     int
		outside    string
	}{
		{name: "two slashes", path: m + "//", to: whoami, seen: "/"},
		{name: "one slash", path: m + "/", to: whoami, seen: "/"},
		{name: "no slash", path: m, status: 404},
		{name: "cleaned", path: m + "//a//b/", to: whoami, seen: "/a/b"},
		{name: "encoded slash", path: m + "/a%2Fb", to: whoami, seen: "/a/b"},
		{name: "encoded hash", path: m + "/a%23", status: 500},
		{name: "encoded question mark", path: m + "/a%3Fb", status: 500},
		{name: "encoded percent", path: m + "/a%25b", status: 500},
		{name: "encoded twice", path: m + "/a%2541", to: whoami, seen: "/a%41"},
		{name: "control character", path: m + "/a%00", status: 500},
		{name: "cleaned away", path: m + "/a%23/../b%3F/..", to: whoami, seen: "/"},
		{name: "space", path: m + "/a%20b", to: whoami, seen: "/a%20b"},
		{name: "dot segments stay in the app", path: m + "/../../other.default/method/x", to: whoami, seen: "/other.default/method/x"},
		{name: "header", path: "/a/b/", header: http.Header{"Dapr-App-Id": {"whoami.default"}}, to: whoami, seen: "/a/b"},
		{name: "header at root", path: "/", header: http.Header{"Dapr-App-Id": {"whoami.default"}}, to: whoami, seen: "/"},
		{name: "header beats path", path: m + "/x", header: http.Header{"Dapr-App-Id": {"other"}}, to: other, seen: m + "/x"},
		{name: "credentials beat path", path: m + "/x", header: http.Header{"Authorization": {basic}}, to: other, seen: m + "/x"},
		{name: "header beats credentials", path: "/x", header: http.Header{"Authorization": {basic}, "Dapr-App-Id": {"whoami.default"}}, to: whoami, seen: "/x"},
		{name: "its own API is closed", path: "/v1.0/metadata", status: 404},
		{name: "its own API is a path of the app's", path: "/v1.0/metadata", header: http.Header{"Dapr-App-Id": {"whoami.default"}}, to: whoami, seen: "/v1.0/metadata"},
		{name: "its own health", path: "/v1.0/healthz", header: http.Header{"Dapr-App-Id": {"whoami.default"}}, status: 204},
		{name: "another host", path: "/x", header: http.Header{"Dapr-App-Id": {"http://example.com"}}, outside: "http://example.com"},
		{name: "no target", path: "/x", header: http.Header{"Dapr-App-Id": {"a.b.c"}}, status: 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := get(c.path)
			if c.header != nil {
				r.Header = c.header
			}
			got := model.Daprd{Namespace: "default"}.HTTP(r)
			if got.To != c.to || got.Status != c.status || got.Outside != c.outside || (c.seen != "" && got.Request.Path != c.seen) {
				t.Errorf("want %v %s %d %s, got %+v", c.to, c.seen, c.status, c.outside, got)
			}
		})
	}
}

func TestDaprdHeaders(t *testing.T) {
	r := get("/x")
	r.Header = http.Header{
		"Dapr-App-Id": {"whoami.default"}, "Dapr-Caller-App-Id": {"admin"}, "X-A": {"1", "2"}, "Upgrade": {"websocket"}, "Connection": {"x-hop"},
		"X-Hop": {"1"}, "X-Data-Bin": {"1"}, "Grpc-Timeout": {"1S"},
	}
	want := http.Header{"Dapr-Caller-App-Id": {"admin"}, "X-A": {"1", "2"}, "Dapr-Grpc-Timeout": {"1S"}}
	before := r.Header.Clone()
	if diff := cmp.Diff(want, model.Daprd{Namespace: "default"}.HTTP(r).Request.Header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, r.Header); diff != "" {
		t.Errorf("the request was modified (-before +after):\n%s", diff)
	}
}

// TestTraefikCleans is what keeps dot segments of a client from climbing out of an invocation path that Traefik joins them with.
func TestTraefikCleans(t *testing.T) {
	r := route(t, `[{backendRefs: [{name: b, port: 80}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "`+m+`//"}}}]}]`)
	for path, want := range map[string]string{
		"/../../cart.default/method/x":      m + "/cart.default/method/x",
		"/%2e%2e/%2E./cart.default/method/": m + "/cart.default/method/",
		"/a//b/./c":                         m + "/a/b/c",
		"/a%2Fb%20c":                        m + "/a%2Fb%20c",
	} {
		got := model.Gateway{Implementation: model.Traefik, Routes: []*gatewayv1.HTTPRoute{r}}.Deliver(get(path))
		if len(got) != 1 || got[0].Request.Path != want {
			t.Errorf("%s: want %s, got %+v", path, want, got)
		}
	}
}

func TestGRPC(t *testing.T) {
	r := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "r"}}
	if err := yaml.UnmarshalStrict([]byte(`rules:
- {backendRefs: [{name: any, port: 80}]}
- {matches: [{method: {service: a.B}}], backendRefs: [{name: service, port: 80}]}
- {matches: [{method: {service: a.B, method: C}}], backendRefs: [{name: method, port: 80}]}
- {matches: [{method: {service: a.B}, headers: [{name: x-a, value: a}]}], backendRefs: [{name: headers, port: 80}]}
- {matches: [{method: {service: none.X}}], backendRefs: [{name: nowhere, port: 80, weight: 0}]}
- {matches: [{method: {type: RegularExpression, service: "p.+", method: "[A-Z]+"}}], backendRefs: [{name: pattern, port: 80}]}
`), &r.Spec); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		header http.Header
		want   string
		status int
	}{
		{path: "/x.Y/Z", want: "any"},
		{path: "/a.B/D", want: "service"},
		{path: "/a.B/C", want: "method"},
		{path: "/a.B/D", header: http.Header{"X-A": {"a"}}, want: "headers"},
		{path: "/pq.R/S", want: "pattern"},
		{path: "/none.X/Y", status: http.StatusInternalServerError},
		{path: "/", status: http.StatusNotFound},
	} {
		call := model.Request{Method: http.MethodPost, Path: c.path, Header: c.header}
		got := model.GRPCGateway{Implementation: model.Cilium119, Routes: []*gatewayv1.GRPCRoute{r}}.Deliver(call)
		if len(got) != 1 || got[0].To.Name != c.want || got[0].Status != c.status {
			t.Errorf("%s %v: want %q %d, got %+v", c.path, c.header, c.want, c.status, got)
		}
	}
	whoami, other := model.App{ID: "whoami", Namespace: "default"}, model.App{ID: "other", Namespace: "shop"}
	for _, c := range []struct {
		name, path string
		header     http.Header
		to         model.App
		status     int
	}{
		{name: "target", path: "/a.B/C", header: http.Header{"Dapr-App-Id": {"whoami"}}, to: whoami},
		{name: "the callee beats the target", path: "/a.B/C", header: http.Header{"Dapr-App-Id": {"whoami"}, "Dapr-Callee-App-Id": {"other.shop"}}, to: other},
		{name: "no target", path: "/a.B/C", status: http.StatusInternalServerError},
		{name: "Dapr's own API", path: "/dapr.proto.runtime.v1.Dapr/InvokeService", header: http.Header{"Dapr-App-Id": {"whoami"}}, status: http.StatusNotImplemented},
	} {
		got := model.Daprd{Namespace: "default"}.GRPC(model.Request{Path: c.path, Header: c.header})
		if got.To != c.to || got.Status != c.status {
			t.Errorf("%s: want %v %d, got %+v", c.name, c.to, c.status, got)
		}
	}
}
