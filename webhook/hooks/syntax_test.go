// SPDX-License-Identifier: Apache-2.0

package hooks_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// patterns reads from the policy's expressions which values of a key it lets through on a kind.
func patterns(t *testing.T) func(kind, key, value string) bool {
	t.Helper()
	policy, _ := hooks.Syntax(hooks.Options{})
	form := regexp.MustCompile(`^!\('([^']+)' in variables\.ours\) \|\| !\(request\.kind\.kind in \[([^\]]*)\]\) \|\| .*\.matches\('(.*)'\)$`)
	type entry struct {
		key   string
		kinds []string
		value *regexp.Regexp
	}
	var entries []entry
	for _, v := range policy.Spec.Validations[1:] {
		parts := form.FindStringSubmatch(v.Expression)
		if parts == nil {
			t.Fatalf("an expression of another form: %s", v.Expression)
		}
		entries = append(entries, entry{parts[1], strings.Split(strings.ReplaceAll(parts[2], "'", ""), ", "), regexp.MustCompile(parts[3])})
	}
	return func(kind, key, value string) bool {
		return !slices.ContainsFunc(entries, func(e entry) bool {
			return e.key == key && slices.Contains(e.kinds, kind) && !e.value.MatchString(value)
		})
	}
}

func syntaxKeys() []string {
	return []string{
		mesh.AnnotationEnabled, mesh.AnnotationStrategy, mesh.AnnotationReplicas, mesh.AnnotationLocalRedirect, mesh.AnnotationService,
		mesh.AnnotationCallers, mesh.AnnotationDaprAPI, mesh.AnnotationInvoke, mesh.AnnotationSuppress,
	}
}

func syntaxKinds() []string {
	return []string{mesh.KindService, mesh.KindDeployment, mesh.KindGateway, mesh.KindHTTPRoute, mesh.KindGRPCRoute}
}

// TestSyntaxRefusesNothingMore: whatever the policy refuses, the webhook refuses.
func TestSyntaxRefusesNothingMore(t *testing.T) {
	allows := patterns(t)
	values := []string{
		"true", "false", "deployment", "daemonset", "prefix", "header", "1", "3", "50", "whoami", "a.b", "a, b.c ,d", "a,b", "0a", "DPR101=known until 2030-01-01",
		strings.Repeat("a", 54), strings.Repeat("a", 63),
	}
	rapid.Check(t, func(t *rapid.T) {
		kind, key := rapid.SampledFrom(syntaxKinds()).Draw(t, "kind"), rapid.SampledFrom(syntaxKeys()).Draw(t, "key")
		value := rapid.OneOf(rapid.SampledFrom(values), rapid.StringMatching(`[a-z0-9., -]{0,70}`), rapid.String()).Draw(t, "value")
		if allows(kind, key, value) {
			return
		}
		object := mesh.Object{Kind: kind, Namespace: "default", Name: "x"}
		if findings := mesh.CheckRouteAnnotations(object, map[string]string{key: value}, mesh.DefaultConfig()); len(findings) == 0 {
			t.Fatalf("the policy refuses %s=%q on a %s, the webhook does not", key, value, kind)
		}
	})
}

// TestSyntaxRefuses: for each key with a grammar, a value that is no such thing.
func TestSyntaxRefuses(t *testing.T) {
	allows := patterns(t)
	for _, c := range []struct{ kind, key, value string }{
		{mesh.KindService, mesh.AnnotationEnabled, "yes"},
		{mesh.KindHTTPRoute, mesh.AnnotationEnabled, "true"},
		{mesh.KindGateway, mesh.AnnotationStrategy, "statefulset"},
		{mesh.KindService, mesh.AnnotationReplicas, "two"},
		{mesh.KindService, mesh.AnnotationLocalRedirect, "1"},
		{mesh.KindDeployment, mesh.AnnotationService, "Who am I"},
		{mesh.KindService, mesh.AnnotationCallers, "a b"},
		{mesh.KindService, mesh.AnnotationCallers, "a,,b"},
		{mesh.KindService, mesh.AnnotationDaprAPI, "no"},
		{mesh.KindHTTPRoute, mesh.AnnotationInvoke, "both"},
		{mesh.KindService, mesh.AnnotationSuppress, ""},
	} {
		if allows(c.kind, c.key, c.value) {
			t.Errorf("%s=%q on a %s is let through", c.key, c.value, c.kind)
		}
	}
}
