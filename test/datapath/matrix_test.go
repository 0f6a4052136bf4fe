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
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	plainHost = "plain.example.com"
	echoHost  = "echo.example.com"
)

// echo installs the app of the request matrix, once: behind the mesh as
// echoHost, and past it as plainHost.
func echo(t *testing.T) {
	t.Helper()
	theWorld(t)
	if err := installEcho(); err != nil {
		t.Fatal(err)
	}
}

// installEcho is lazy: tests that do not need the app do without it.
//
//nolint:gochecknoglobals // one app for all tests of the package
var installEcho = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), enrolLimit)
	defer cancel()
	if err := appliedFile(ctx, "echo.yaml"); err != nil {
		return err
	}
	if err := shared.WaitDeployment(ctx, client.ObjectKey{Namespace: namespace, Name: "echo-dapr"}); err != nil {
		return err
	}
	return shared.Eventually(ctx, "both hosts lead to echo", func(ctx context.Context) error {
		if err := routeLeadsTo(ctx, "echo", ingressName); err != nil {
			return err
		}
		_, err := bothWays(ctx, request{path: "/"})
		return err
	})
})

// seen is what test/datapath/echo tells.
type seen struct {
	App           string      `json:"app"`
	Method        string      `json:"method"`
	URI           string      `json:"uri"`
	Host          string      `json:"host"`
	Header        http.Header `json:"header"`
	BodySHA256    string      `json:"bodySHA256"`
	ContentLength int64       `json:"contentLength"`
}

// ways are the outcomes of one request past the mesh and through it.
type ways struct{ plain, mesh outcome }

type outcome struct {
	response
	seen seen
}

func bothWays(ctx context.Context, r request) (ways, error) {
	address, err := gateway(ctx)
	if err != nil {
		return ways{}, err
	}
	var w ways
	for host, into := range map[string]*outcome{plainHost: &w.plain, echoHost: &w.mesh} {
		r.host = host
		if into.response, err = send(ctx, address, r); err != nil {
			return ways{}, fmt.Errorf("%s: %w", host, err)
		}
		if strings.HasPrefix(into.body, "{") {
			_ = json.Unmarshal([]byte(into.body), &into.seen) // an error of a companion's is JSON, too
		}
	}
	if w.plain.status == http.StatusNotFound && w.plain.seen.App == "" {
		return w, fmt.Errorf("no route yet: %s", w.plain.body)
	}
	return w, nil
}

// differences tells what a request through the mesh does otherwise than one
// past it, as "what: past > through". Headers that every request gets on its
// way are not among them: TestHeadersOnTheWay has them.
func (w ways) differences() []string {
	var found []string
	differ := func(what string, plain, mesh any) {
		if !cmp.Equal(plain, mesh) {
			found = append(found, fmt.Sprintf("%s: %v > %v", what, plain, mesh))
		}
	}
	differ("status", w.plain.status, w.mesh.status)
	for _, name := range []string{"Content-Type", "X-Set", "Location"} {
		differ("response header "+name, w.plain.header.Values(name), w.mesh.header.Values(name))
	}
	if w.plain.seen.App == "" {
		differ("body", w.plain.body, w.mesh.body)
		return found
	}
	if w.mesh.seen.App == "" {
		return append(found, "the app is not reached")
	}
	differ("method", w.plain.seen.Method, w.mesh.seen.Method)
	differ("uri", w.plain.seen.URI, w.mesh.seen.URI)
	differ("body", w.plain.seen.BodySHA256, w.mesh.seen.BodySHA256)
	differ("content length", w.plain.seen.ContentLength, w.mesh.seen.ContentLength)
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Origin", "X-Multi"} {
		differ("header "+name, w.plain.seen.Header.Values(name), w.mesh.seen.Header.Values(name))
	}
	return found
}

// matrixCase is the same through the mesh as past it but for what it lists;
// docs/limits.md says the same in words.
type matrixCase struct {
	name string
	request
	differs []string
}

func unreached(status int) []string {
	return []string{fmt.Sprintf("status: 200 > %d", status), "the app is not reached"}
}

func paths() []matrixCase {
	return []matrixCase{
		{name: "root", request: request{path: "/"}},
		{name: "path", request: request{path: "/a/b.html"}},
		{name: "trailing slash", request: request{path: "/a/"}, differs: []string{"uri: /a/ > /a"}},
		{name: "double slash", request: request{path: "/a//b"}},
		{name: "dot segments", request: request{path: "/a/./b/../c"}},
		{name: "encoded space", request: request{path: "/a%20b"}},
		{name: "encoded letters", request: request{path: "/%C3%A9"}},
		{name: "encoded slash", request: request{path: "/a%2Fb"}, differs: []string{"uri: /a%2Fb > /a/b"}},
		{name: "encoded number sign", request: request{path: "/a%23b"}, differs: unreached(500)},
		{name: "encoded question mark", request: request{path: "/a%3Fb"}, differs: unreached(500)},
		{name: "encoded percent sign", request: request{path: "/a%25b"}, differs: unreached(500)},
		{name: "encoded semicolon", request: request{path: "/a%3Bb"}, differs: []string{"uri: /a%3Bb > /a;b"}},
		{name: "other signs", request: request{path: "/a:b@c=d,e!f'(g)*~+;"}},
		{name: "query", request: request{path: "/x?a=1&a=2&b=%20+&c&d=%2F"}},
		{name: "broken escape in the query", request: request{path: "/x?a=%zz"}},
		{name: "empty query", request: request{path: "/x?"}, differs: []string{"uri: /x? > /x"}},
		{name: "long path", request: request{path: "/" + strings.Repeat("a", 2000)}},
	}
}

func exchanges() []matrixCase {
	return []matrixCase{
		{name: "HEAD", request: request{method: "HEAD", path: "/x"}},
		{name: "OPTIONS", request: request{method: "OPTIONS", path: "/x"}},
		{name: "preflight", request: request{method: "OPTIONS", path: "/x", headers: [][2]string{{"Origin", "http://o"}, {"Access-Control-Request-Method", "PUT"}}}},
		{name: "DELETE", request: request{method: "DELETE", path: "/x"}},
		{name: "PATCH", request: request{method: "PATCH", path: "/x", body: "ab"}},
		{name: "PUT", request: request{method: "PUT", path: "/x", body: "ab"}},
		{name: "POST", request: request{method: "POST", path: "/x", body: "ab"}},
		{name: "a method of no standard", request: request{method: "PURGE", path: "/x"}, differs: []string{"method: PURGE > POST", "content length: 0 > -1"}},
		{name: "form", request: request{method: "POST", path: "/x", body: "a=1&b=2", headers: [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}}},
		{name: "chunked", request: request{method: "POST", path: "/x", chunks: []string{"ab", "cd"}}},
		{name: "100-continue", request: request{method: "POST", path: "/x", body: "ab", headers: [][2]string{{"Expect", "100-continue"}}}},
		{name: "body of 4 MiB", request: request{method: "POST", path: "/x", body: strings.Repeat("x", 4<<20)}},
		{name: "body over 4 MiB", request: request{method: "POST", path: "/x", body: strings.Repeat("x", 4<<20+1)}, differs: unreached(500)},
		{name: "body of 8 MiB", request: request{method: "POST", path: "/x", body: strings.Repeat("x", 8<<20)}, differs: unreached(500)},
		{name: "headers", request: request{path: "/x", headers: [][2]string{
			{"Cookie", "a=b; c=d"}, {"Authorization", "Bearer x"}, {"Accept", "text/html"}, {"Accept-Encoding", "br"},
			{"Accept-Language", "fr"}, {"X-Multi", "1"}, {"X-Multi", "2"},
		}}},
		{name: "cookie of 30 KiB", request: request{path: "/x", headers: [][2]string{{"Cookie", strings.Repeat("x", 30<<10)}}}},
		{name: "cookie of 60 KiB", request: request{path: "/x", headers: [][2]string{{"Cookie", strings.Repeat("x", 60<<10)}}}, differs: []string{
			"status: 200 > 431", "response header Content-Type: [application/json] > [text/plain; charset=utf-8]", "the app is not reached",
		}},
		{name: "204", request: request{path: "/x?status=204"}},
		{name: "304", request: request{path: "/x?status=304"}},
		{name: "302", request: request{path: "/x?status=302&set=1&set=2"}},
		{name: "404", request: request{path: "/x?status=404"}},
		{name: "500", request: request{path: "/x?status=500"}},
		{name: "503", request: request{path: "/x?status=503"}},
		{name: "response of 20 MiB", request: request{path: "/x?size=20971520"}},
		{name: "events", request: request{path: "/x?events=3", headers: [][2]string{{"Accept", "text/event-stream"}}}},
		{name: "events without Accept", request: request{path: "/x?events=3"}},
	}
}

func TestRequestMatrix(t *testing.T) {
	echo(t)
	for _, test := range slices.Concat(paths(), exchanges()) {
		t.Run(test.name, func(t *testing.T) {
			w, err := bothWays(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.differs, w.differences()); diff != "" {
				t.Errorf("differences: -want +got:\n%s", diff)
			}
		})
	}
}

// Every request's headers change on the way in these points and no others.
func TestHeadersOnTheWay(t *testing.T) {
	echo(t)
	w, err := bothWays(t.Context(), request{path: "/", headers: [][2]string{{"User-Agent", "me"}, {"X-Own", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.mesh.seen.Host, "echo.default.svc.cluster.local:80"; got != want {
		t.Errorf("Host is %s, want %s", got, want)
	}
	var changed []string
	names := w.mesh.seen.Header.Clone()
	for name, values := range w.plain.seen.Header {
		names[name] = values
	}
	for name := range names {
		if !slices.Equal(w.plain.seen.Header[name], w.mesh.seen.Header[name]) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	want := []string{
		"Dapr-Callee-App-Id", "Dapr-Caller-App-Id", "Dapr-Caller-Namespace", "Forwarded", "Traceparent", "X-Forwarded-For", "X-Forwarded-Host",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changed headers: -want +got:\n%s", diff)
	}
	// The client's own come first, daprd appends.
	if got := w.mesh.seen.Header.Values("X-Forwarded-Host"); len(got) != 2 || got[0] != echoHost {
		t.Errorf("X-Forwarded-Host is %q, want %s first", got, echoHost)
	}
}

// Events reach the client when they are sent and not when they are all there,
// if it asks for them by name.
func TestEventsAreNotHeldBack(t *testing.T) {
	echo(t)
	w, err := bothWays(t.Context(), request{path: "/x?events=4", headers: [][2]string{{"Accept", "text/event-stream"}}})
	if err != nil {
		t.Fatal(err)
	}
	if held := w.mesh.total - w.mesh.early; held < 600*time.Millisecond {
		t.Errorf("the head came only %s before the end of 1.2 s of events", held)
	}
}

// No protocol but HTTP gets through Dapr (dapr#5766).
func TestUpgradesDoNotPass(t *testing.T) {
	echo(t)
	w, err := bothWays(t.Context(), request{path: "/x", headers: [][2]string{
		{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if w.plain.status != http.StatusSwitchingProtocols {
		t.Errorf("past the mesh: %d, want 101", w.plain.status)
	}
	if w.mesh.status == http.StatusSwitchingProtocols {
		t.Error("a WebSocket passes: say so in docs/limits.md")
	}
}
