// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Request headers beside HeaderAppID by which Dapr believes whoever sends the request (facts: "Invocation over HTTP"). They are
// lower case; header names are compared without case.
const (
	HeaderAPIToken        = "dapr-api-token"
	HeaderCalleeAppID     = "dapr-callee-app-id"
	HeaderCallerAppID     = "dapr-caller-app-id"
	HeaderCallerNamespace = "dapr-caller-namespace"
)

// DaprHeaders are the request headers that no client may send to a companion, sorted.
func DaprHeaders() []string {
	return []string{HeaderAPIToken, HeaderAppID, HeaderCalleeAppID, HeaderCallerAppID, HeaderCallerNamespace}
}

// IsDaprHeader says whether a header is one of DaprHeaders, whatever its case.
func IsDaprHeader(name string) bool {
	if len(name) < 5 || !strings.EqualFold(name[:5], "dapr-") {
		return false
	}
	switch strings.ToLower(name) {
	case HeaderAppID, HeaderAPIToken, HeaderCalleeAppID, HeaderCallerAppID, HeaderCallerNamespace:
		return true
	}
	return false
}

// InvocationPath is the path under which Dapr invokes an app: "/v1.0/invoke/whoami.default/method".
func InvocationPath(app AppRef) string { return InvokePath + app.String() + "/method" }

// Invocation is what a rule asks a companion for.
type Invocation struct {
	App  AppRef
	Form Invoke
	// Path follows InvocationPath in the rule's URLRewrite, "//" or "/api" or empty. Always empty in header form, where the path of
	// the request is the path that the app sees.
	Path string
}

// RuleInvocation reads the invocation that a rule's filters ask for, in either form. It is false for filters that name no target
// or that are ambiguous: a header that is both set and removed, added to what the client sent or set twice in different case, or
// a path with dot segments, which Dapr would resolve.
func RuleInvocation(filters []gatewayv1.HTTPRouteFilter) (Invocation, bool) {
	header, named, ok := headerTarget(filters)
	if !ok {
		return Invocation{}, false
	}
	if named {
		app, ok := parseAppRef(header)
		return Invocation{App: app, Form: InvokeHeader}, ok
	}
	path, ok := strings.CutPrefix(rewrittenPath(filters), InvokePath)
	if !ok {
		return Invocation{}, false
	}
	id, rest, ok := strings.Cut(path, "/")
	if !ok {
		return Invocation{}, false
	}
	rest, ok = strings.CutPrefix(rest, "method")
	if !ok || (rest != "" && rest[0] != '/') || HasDotSegments(rest) {
		return Invocation{}, false
	}
	app, ok := parseAppRef(id)
	return Invocation{App: app, Form: InvokePrefix, Path: rest}, ok
}

// BackendInvocation reads the invocation that one backendRef of a rule asks for, from the rule's filters and the backendRef's own. A rule
// that is divided between several apps names each at its backendRef, in header form, since a rule has one path and one set of headers
// for all of them. It is false where both name a target, or where the rule's filters take away what the backendRef's give.
func BackendInvocation(rule, backend []gatewayv1.HTTPRouteFilter) (Invocation, bool) {
	header, named, ok := headerTarget(backend)
	if !ok {
		return Invocation{}, false
	}
	if !named {
		return RuleInvocation(rule)
	}
	if _, twice, ok := headerTarget(rule); twice || !ok || removesHeader(rule, HeaderAppID) || strings.HasPrefix(rewrittenPath(rule), InvokePath) {
		return Invocation{}, false
	}
	app, ok := parseAppRef(header)
	return Invocation{App: app, Form: InvokeHeader}, ok
}

// headerTarget finds the value that the filters give to dapr-app-id. ok is false where more than one answer is possible.
func headerTarget(filters []gatewayv1.HTTPRouteFilter) (value string, named, ok bool) {
	removed := false
	for i := range filters {
		m := filters[i].RequestHeaderModifier
		if m == nil {
			continue
		}
		for _, h := range m.Add {
			if strings.EqualFold(string(h.Name), HeaderAppID) {
				return "", false, false
			}
		}
		for _, h := range m.Set {
			if strings.EqualFold(string(h.Name), HeaderAppID) {
				if named {
					return "", false, false
				}
				value, named = h.Value, true
			}
		}
		for _, name := range m.Remove {
			removed = removed || strings.EqualFold(name, HeaderAppID)
		}
	}
	return value, named, !named || !removed
}

// rewrittenPath is the value of the one URLRewrite that filters may have, or empty.
func rewrittenPath(filters []gatewayv1.HTTPRouteFilter) string {
	for i := range filters {
		rewrite := filters[i].URLRewrite
		if rewrite == nil || rewrite.Path == nil {
			continue
		}
		switch {
		case rewrite.Path.ReplacePrefixMatch != nil:
			return *rewrite.Path.ReplacePrefixMatch
		case rewrite.Path.ReplaceFullPath != nil:
			return *rewrite.Path.ReplaceFullPath
		}
	}
	return ""
}

// MissingRemovals are the headers of DaprHeaders that a rule's filters let through from the client, for an invocation in a form.
// In header form dapr-app-id is set instead of removed.
func MissingRemovals(filters []gatewayv1.HTTPRouteFilter, form Invoke) []string {
	var missing []string
	for _, name := range DaprHeaders() {
		if form == InvokeHeader && name == HeaderAppID {
			continue
		}
		if !removesHeader(filters, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func removesHeader(filters []gatewayv1.HTTPRouteFilter, name string) bool {
	for i := range filters {
		if filters[i].RequestHeaderModifier == nil {
			continue
		}
		for _, removed := range filters[i].RequestHeaderModifier.Remove {
			if strings.EqualFold(removed, name) {
				return true
			}
		}
	}
	return false
}

// HasDotSegments says whether a path has a segment "." or "..", percent-encoded or not.
func HasDotSegments(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) == 0 || len(segment) > len("%2e%2e") {
			continue
		}
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

// parseAppRef reads "whoami.default". Both parts must be DNS labels, so that nothing in them can be read as a path.
func parseAppRef(s string) (AppRef, bool) {
	id, namespace, ok := strings.Cut(s, ".")
	return AppRef{Namespace: namespace, ID: id}, ok && isLabel(id) && isLabel(namespace)
}

// isLabel says whether s is a DNS label (RFC 1123).
func isLabel(s string) bool {
	if s == "" || len(s) > MaxName || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
