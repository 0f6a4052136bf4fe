// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// maxPath is the longest value of a path modifier (gateway-api, HTTPPathModifier).
const maxPath = 1024

// allMatches says that one rewritten rule keeps all matches of its original.
const allMatches = -1

// pathRewrite is what one rewritten rule in prefix form does with the path of its requests.
type pathRewrite struct {
	// match is the index of the one match it is for, or allMatches.
	match    int
	modifier gatewayv1.HTTPPathModifierType
	value    string
}

// prefixForm says how the prefix form expresses a rule: with one path modifier, or with one for each match, since ReplacePrefixMatch
// needs a rule with exactly one match (gateway-api, CEL of HTTPRouteRule). A reason is given where it cannot, without a full stop:
// "the match of path type RegularExpression".
func prefixForm(fields *ruleFields, app mesh.AppRef) (paths []pathRewrite, reason string) {
	base := mesh.InvocationPath(app)
	user := userPath(fields.Filters)
	if user != nil && user.ReplaceFullPath != nil {
		full, reason := fullPath(base, *user.ReplaceFullPath)
		return []pathRewrite{{match: allMatches, modifier: gatewayv1.FullPathHTTPPathModifier, value: full}}, reason
	}
	if len(fields.Matches) == 0 {
		path, reason := matchRewrite(base, anyMatch(), user)
		path.match = allMatches
		return []pathRewrite{path}, reason
	}
	same := true
	for i := range fields.Matches {
		path, reason := matchRewrite(base, fields.Matches[i], user)
		if reason != "" {
			return nil, reason
		}
		path.match = i
		paths = append(paths, path)
		same = same && path.modifier == gatewayv1.FullPathHTTPPathModifier && path.value == paths[0].value
	}
	if len(paths) == 1 || same {
		paths[0].match = allMatches
		return paths[:1], ""
	}
	return paths, ""
}

// userPath is the path modifier of the rule's own URLRewrite, or nil.
func userPath(filters []gatewayv1.HTTPRouteFilter) *gatewayv1.HTTPPathModifier {
	for i := range filters {
		if filters[i].URLRewrite != nil {
			return filters[i].URLRewrite.Path
		}
	}
	return nil
}

// matchRewrite composes the path of one match, and the user's own prefix replacement, with the invocation path.
func matchRewrite(base string, match ruleMatch, user *gatewayv1.HTTPPathModifier) (pathRewrite, string) {
	switch {
	case match.pathType == gatewayv1.PathMatchPathPrefix:
		replacement := match.path
		if user != nil && user.ReplacePrefixMatch != nil {
			replacement = *user.ReplacePrefixMatch
		}
		prefix, reason := prefixValue(base, match.path, replacement)
		return pathRewrite{modifier: gatewayv1.PrefixMatchHTTPPathModifier, value: prefix}, reason
	case match.pathType == gatewayv1.PathMatchExact && (user == nil || user.ReplacePrefixMatch == nil):
		full, reason := fullPath(base, match.path)
		return pathRewrite{modifier: gatewayv1.FullPathHTTPPathModifier, value: full}, reason
	default:
		return pathRewrite{}, fmt.Sprintf("the match of path type %s", match.pathType)
	}
}

// prefixValue is the ReplacePrefixMatch that turns a prefix into a replacement under the invocation path. A trailing slash of either
// means nothing (gateway-api, HTTPPathModifier). Where the replacement says nothing, the value ends in two slashes: gateways drop one, and
// Dapr needs the other. Elsewhere the value ends as the replacement does: where a gateway does not put a slash between a replacement of "/"
// and what follows (Cilium up to 1.18), it does not with the mesh either.
func prefixValue(base, prefix, replacement string) (value, reason string) {
	if !plainPath(prefix) {
		return "", fmt.Sprintf("the path %q", prefix)
	}
	if replacement != "" && !plainPath(replacement) {
		return "", fmt.Sprintf("the replacement %q", replacement)
	}
	value = base + strings.TrimRight(replacement, "/")
	if strings.Trim(replacement, "/") == "" {
		if len(prefix) > 1 && strings.HasSuffix(prefix, "/") {
			// Cilium takes such a prefix away only where the slash is there: for /a/, the path /a stays as it is.
			return "", fmt.Sprintf("the replacement %q of the prefix %q", replacement, prefix)
		}
		value += "//"
	}
	if len(value) > maxPath {
		return "", fmt.Sprintf("the length of the path: with the invocation path it has %d characters, over %d", len(value), maxPath)
	}
	return value, ""
}

// fullPath is the ReplaceFullPath that puts a whole path under the invocation path.
func fullPath(base, path string) (value, reason string) {
	if !plainPath(path) {
		return "", fmt.Sprintf("the path %q", path)
	}
	if len(base)+len(path) > maxPath {
		return "", fmt.Sprintf("the length of the path: with the invocation path it has %d characters, over %d", len(base)+len(path), maxPath)
	}
	return base + path, ""
}

// plainPath says whether a path begins with a slash, has only characters that the Gateway API allows in a path match, no encoded
// slash, and no empty or dot segments inside. Replacements are not held to that by the API, and gateways disagree on what others mean.
func plainPath(path string) bool {
	if path == "" || path[0] != '/' || strings.Contains(path, "//") || mesh.HasDotSegments(path) {
		return false
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-/._~!$&'()*+,;=:@", c) >= 0:
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) && !strings.EqualFold(path[i:i+3], "%2f"):
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
