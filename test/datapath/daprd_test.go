// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"encoding/base64"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/model"
)

// pieces make paths that daprd may read in more than one way.
func pieces() []string {
	return []string{
		"a", "b.c", ".", "..", "", "%2F", "%2e", "%2E%2e", "%25", "%2541", "%23", "%3F", "a%20b", "%41", "%C3%A9", "a;b", "%3B", "+", "%2B", "%00", "%0a", "%7f",
		"~", "a:b@c", "=&", "!$'()*,", "v1.0", "invoke", "method", "whoami.default", "metadata", "healthz", "%5C",
	}
}

// pathsOf are all paths of up to two pieces, and some longer ones, the same in each run.
func pathsOf(pieces []string) []string {
	paths := []string{"/"}
	for _, a := range pieces {
		paths = append(paths, "/"+a)
		for _, b := range pieces {
			paths = append(paths, "/"+a+"/"+b)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		var path strings.Builder
		for range 3 + random.IntN(4) {
			path.WriteString("/" + pieces[random.IntN(len(pieces))])
		}
		paths = append(paths, path.String())
	}
	return paths
}

// A running ingress companion does with paths and the headers that name a target what the model of it says.
func TestModelOfDaprdIsRight(t *testing.T) {
	echo(t)
	address := net.JoinHostPort(pod(t, client.MatchingLabels{"daprise.dev/companion": "ingress"}).Status.PodIP, "3500")
	basic := func(id string) [2]string {
		return [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("dapr-app-id:"+id))}
	}
	var requests []request
	for _, path := range pathsOf(pieces()) {
		requests = append(requests,
			request{path: "/v1.0/invoke/echo.default/method" + path},
			request{path: path, headers: [][2]string{{"dapr-app-id", "echo.default"}}},
		)
	}
	for _, r := range []request{
		{path: "/v1.0/invoke/echo.default/method"},
		{path: "/v1.0/invoke/echo/method/x"},
		{path: "/v1.0/invoke/echo.default/method/x?q=1%2F2&r=%20+"},
		{path: "/v1.0/invoke//echo.default/method/x"},
		{path: "//v1.0/invoke/echo.default/method/x"},
		{path: "/v1.0/invoke/echo%2Edefault/method/x"},
		{path: "/v1.0/invoke/none.default/x/method/y"},
		{path: "/x", headers: [][2]string{{"dapr-app-id", "echo"}}},
		{path: "/x", headers: [][2]string{{"dapr-app-id", "a.b.c"}}},
		{path: "/x", headers: [][2]string{{"dapr-app-id", ""}}},
		{path: "/x", headers: [][2]string{basic("echo.default")}},
		{path: "/v1.0/invoke/none.default/method/x", headers: [][2]string{{"dapr-app-id", "echo.default"}}},
		{path: "/v1.0/invoke/none.default/method/x", headers: [][2]string{basic("echo.default")}},
		{path: "/x", headers: [][2]string{{"dapr-app-id", "echo.default"}, basic("none.default")}},
		{path: "/v1.0/metadata"},
		{path: "/v1.0/healthz"},
		{path: "/v1.0/healthz/outbound"},
		{path: "/v1.0/state/x/y"},
		{path: "/", headers: [][2]string{}},
	} {
		for _, method := range []string{"", "POST", "HEAD"} {
			r.method = method
			requests = append(requests, r)
		}
	}
	responses, err := sendAll(t.Context(), address, requests)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, r := range requests {
		want, got := arrived(model.Daprd{Namespace: namespace}.HTTP(r.inModel()), "ingress"), delivered(responses[i])
		if r.method == "HEAD" { // the app's answer has no body
			want, got = arrival{Status: want.Status}, arrival{Status: got.Status}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s %s %v: -model +truth:\n%s%.200s", r.method, r.path, r.headers, diff, responses[i].body)
			}
		}
	}
	tell(t, "%d requests, on %d of which the model is wrong", len(requests), wrong)
}
