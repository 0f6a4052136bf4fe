// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// App is a Dapr app by its ID and namespace.
type App struct {
	ID, Namespace string
}

// Daprd is an ingress companion: a daprd without an app, whose Configuration allows service invocation alone.
type Daprd struct {
	Namespace string
}

// Arrival is what becomes of a request at an ingress companion.
type Arrival struct {
	// To is the app that is invoked, or the zero App where the companion answers by itself.
	To App
	// Outside is the base URL where the target is no app at all.
	Outside string
	// Request is as the app sees it, without the headers that Dapr adds and without a host: Dapr sends its own.
	Request Request
	// Status is the companion's own answer, or 0.
	Status int
}

// HTTP is a request to port 3500 (dapr pkg/api/http, pkg/messaging, pkg/channel/http; facts: "Invocation over HTTP").
func (d Daprd) HTTP(r Request) Arrival {
	u, err := url.ParseRequestURI(r.Path)
	if err != nil {
		return Arrival{Status: http.StatusBadRequest}
	}
	// Routes are found by the cleaned path that is still encoded; the handler reads the decoded one.
	switch path.Clean(u.EscapedPath()) {
	case "/v1.0/healthz", "/v1.0/healthz/outbound":
		if r.Method == http.MethodGet {
			return Arrival{Status: http.StatusNoContent}
		}
	}
	r = r.clone()
	target, method, ok := findTarget(u.Path, r.Header)
	if !ok {
		return Arrival{Status: http.StatusNotFound}
	}
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		return Arrival{Outside: target, Request: r}
	}
	// Dapr looks for what it cannot carry in what is left after cleaning.
	method = cleaned(method)
	if strings.ContainsAny(method, "#?") || strings.ContainsFunc(method, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return Arrival{Status: http.StatusInternalServerError}
	}
	app, ok := d.parse(target)
	if !ok {
		return Arrival{Status: http.StatusInternalServerError}
	}
	seen, err := url.Parse("http://app/" + method)
	if err != nil {
		return Arrival{Status: http.StatusInternalServerError}
	}
	r.Path, r.Host = seen.EscapedPath(), ""
	r.Header = carried(r.Header)
	return Arrival{To: app, Request: r}
}

// findTarget looks for the target in the header dapr-app-id, in Basic credentials, and in the path, in this order.
func findTarget(reqPath string, header http.Header) (target, method string, ok bool) {
	if id := header.Get("dapr-app-id"); id != "" {
		header.Del("dapr-app-id")
		return id, reqPath, true
	}
	if encoded, basic := strings.CutPrefix(header.Get("Authorization"), "Basic "); basic {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		pair := strings.Split(string(decoded), ":")
		if err == nil && len(pair) == 2 && strings.EqualFold(pair[0], "dapr-app-id") {
			return pair[1], reqPath, true
		}
	}
	rest := strings.TrimLeft(reqPath, "/")
	for _, part := range []string{"v1.0", "invoke"} {
		after, found := strings.CutPrefix(rest, part+"/")
		if !found {
			return "", "", false
		}
		rest = strings.TrimLeft(after, "/")
	}
	id, method, ok := strings.Cut(rest, "/method/")
	if !ok || id == "" {
		return "", "", false
	}
	if unescaped, err := url.QueryUnescape(id); err == nil && unescaped != "" {
		id = unescaped
	}
	return id, method, true
}

// cleaned resolves dot segments and doubled slashes and drops a trailing slash.
func cleaned(method string) string {
	return strings.TrimPrefix(path.Clean("/"+method), "/")
}

// parse reads "whoami" in the companion's own namespace, or "whoami.default".
func (d Daprd) parse(target string) (App, bool) {
	parts := strings.Split(target, ".")
	switch {
	case target == "":
		return App{}, false
	case len(parts) == 1:
		return App{ID: target, Namespace: d.Namespace}, true
	case len(parts) == 2:
		return App{ID: parts[0], Namespace: parts[1]}, true
	default:
		return App{}, false
	}
}

// carried are the headers that the app gets of those that arrived: without those of one hop, binary metadata and Dapr's own address
// header; those that begin with grpc- get another name (dapr pkg/messaging/v1, InternalMetadataToHTTPHeader). What the client says in
// dapr-* headers reaches the app, beside what Dapr says itself.
func carried(header http.Header) http.Header {
	hop := map[string]bool{
		"connection": true, "keep-alive": true, "proxy-connection": true, "transfer-encoding": true, "upgrade": true,
		"http2-settings": true, "te": true, "trailer": true, "proxy-authorization": true, "proxy-authenticate": true,
		"destination-app-id": true,
	}
	for _, value := range header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			hop[strings.ToLower(strings.TrimSpace(name))] = true
		}
	}
	kept := http.Header{}
	for name, values := range header {
		lower := strings.ToLower(name)
		switch {
		case hop[lower], strings.HasSuffix(lower, "-bin"):
		case strings.HasPrefix(lower, "grpc-"):
			kept[http.CanonicalHeaderKey("dapr-"+lower)] = values
		default:
			kept[name] = values
		}
	}
	return kept
}
