// SPDX-License-Identifier: Apache-2.0

package model

import (
	"net/http"
	"net/url"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// received is a request after the gateway's own cleaning, before any rule is looked for. Traefik's entry points decode what needs no
// encoding and resolve empty and dot segments (normalizePath and sanitizePath, on by default); Cilium leaves paths alone.
func (g Gateway) received(r Request) Request {
	if g.Implementation != Traefik {
		return r
	}
	var path strings.Builder
	for i := 0; i < len(r.Path); i++ {
		if r.Path[i] == '%' && i+2 < len(r.Path) {
			if c, err := url.PathUnescape(r.Path[i : i+3]); err == nil && unreserved(c) {
				path.WriteString(c)
				i += 2
				continue
			}
		}
		path.WriteByte(r.Path[i])
	}
	if u, err := url.ParseRequestURI(path.String()); err == nil {
		r.Path = u.JoinPath().EscapedPath()
	}
	return r
}

// unreserved says whether a character never needs percent-encoding (RFC 3986, 2.3).
func unreserved(c string) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return strings.Contains(characters, c)
}

// rewrite applies the rule's URLRewrite. It is false where the gateway refuses the request instead.
func (g Gateway) rewrite(r Request, taken match) (Request, bool) {
	for _, f := range taken.rule().Filters {
		if f.URLRewrite == nil {
			continue
		}
		if f.URLRewrite.Hostname != nil {
			r.Host = string(*f.URLRewrite.Hostname)
		}
		path := f.URLRewrite.Path
		switch {
		case path == nil:
		case path.ReplaceFullPath != nil:
			r.Path = *path.ReplaceFullPath
		case path.ReplacePrefixMatch != nil:
			_, prefix := pathOf(taken.is)
			var ok bool
			if r.Path, ok = g.replacePrefix(r.Path, prefix, *path.ReplacePrefixMatch); !ok {
				return r, false
			}
		}
	}
	return r, true
}

// replacePrefix puts value in the place of the matched prefix.
func (g Gateway) replacePrefix(path, prefix, value string) (string, bool) {
	switch g.Implementation {
	case Cilium118:
		return ciliumPrefix(path, prefix, strings.TrimSuffix(value, "/")), true
	case Cilium119:
		if value = strings.TrimSuffix(value, "/"); prefix == "/" && value != "" && value != "/" {
			return strings.TrimSuffix(value, "/") + "/" + strings.TrimPrefix(path, "/"), true
		}
		return ciliumPrefix(path, prefix, value), true
	case Traefik:
		return traefikPrefix(path, prefix, value)
	default:
		return specifiedPrefix(path, prefix, value), true
	}
}

// specifiedPrefix is the table of the Gateway API's HTTPPathModifier: what follows the matched elements is kept, a trailing slash of
// the prefix or of the value means nothing, and a path that would be empty is "/".
func specifiedPrefix(path, prefix, value string) string {
	rest := strings.TrimPrefix(path, strings.TrimRight(prefix, "/"))
	replaced := strings.TrimSuffix(value, "/") + rest
	if replaced == "" {
		return "/"
	}
	return replaced
}

// ciliumPrefix is Cilium's way with a value that it has taken one trailing slash from (operator/pkg/model/translation,
// pathPrefixMutation): a regular expression that holds one slash where nothing is put in the prefix's place, and Envoy's
// prefix_rewrite elsewhere, which replaces exactly the characters that matched.
func ciliumPrefix(path, prefix, value string) string {
	if value == "" || value == "/" {
		rest := strings.TrimPrefix(path, prefix)
		return "/" + strings.TrimPrefix(rest, "/")
	}
	matched := prefix
	if prefix != "/" {
		matched = strings.TrimSuffix(prefix, "/")
	}
	return value + strings.TrimPrefix(path, matched)
}

// traefikPrefix joins and cleans both parts, and refuses a path that cleaning would change once more.
func traefikPrefix(path, prefix, value string) (string, bool) {
	joined := (&url.URL{Path: value}).JoinPath(strings.TrimPrefix(path, strings.TrimSuffix(prefix, "/")))
	if joined.Path == "" {
		joined.Path = "/"
	}
	if again := joined.JoinPath(); again.Path != joined.Path {
		return "", false
	}
	return joined.EscapedPath(), true
}

// modify applies the request header modifiers among filters: Envoy removes, adds and sets (HeaderParser), Traefik and the order of the
// specification's fields set, add and remove.
func (g Gateway) modify(r Request, filters []gatewayv1.HTTPRouteFilter) Request {
	steps := []func(http.Header, *gatewayv1.HTTPHeaderFilter){setHeaders, addHeaders, removeHeaders}
	if g.Implementation == Cilium118 || g.Implementation == Cilium119 {
		steps = []func(http.Header, *gatewayv1.HTTPHeaderFilter){removeHeaders, addHeaders, setHeaders}
	}
	for _, step := range steps {
		for _, f := range filters {
			if f.RequestHeaderModifier != nil {
				step(r.Header, f.RequestHeaderModifier)
			}
		}
	}
	return r
}

func setHeaders(header http.Header, m *gatewayv1.HTTPHeaderFilter) {
	for _, h := range m.Set {
		header.Set(string(h.Name), h.Value)
	}
}

func addHeaders(header http.Header, m *gatewayv1.HTTPHeaderFilter) {
	for _, h := range m.Add {
		header.Add(string(h.Name), h.Value)
	}
}

func removeHeaders(header http.Header, m *gatewayv1.HTTPHeaderFilter) {
	for _, name := range m.Remove {
		header.Del(name)
	}
}
