// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

// TestSyntaxPolicy: with the component deploy/components/syntax the API server refuses what is malformed without any daprise, and what was
// malformed before only where the annotations are written again.
func TestSyntaxPolicy(t *testing.T) {
	const ns = "syntax"
	kubectl(t, "create", "namespace", ns)
	annotated := func(manifest, from, to string) string { return strings.ReplaceAll(in(ns, manifest), from, to) }
	apply(t, annotated(service, `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "yes"`))
	file := filepath.Join(root, "deploy", "components", "syntax", "syntax.yaml")
	kubectl(t, "apply", "-f", file)
	t.Cleanup(func() {
		for _, args := range [][]string{{"delete", "-f", file}, {"delete", "namespace", ns, "--wait=false"}} {
			if _, err := shared.Kubectl(context.Background(), args...); err != nil {
				t.Error(err)
			}
		}
	})
	refusal := func(want, manifest string) error {
		// A dry run: what is admitted before the policy is in force must not stay.
		out, err := shared.KubectlIn(t.Context(), []byte(manifest), "apply", "--dry-run=server", "-f", "-")
		text := out.Stdout + out.Stderr
		if err == nil {
			return fmt.Errorf("want a refusal with %q, but it was admitted", want)
		}
		if !strings.Contains(text, want) {
			return fmt.Errorf("want a refusal with %q, got %w\n%s", want, err, text)
		}
		return nil
	}
	const enabled = `metadata.annotations[daprise.dev/enabled]: the value is not "true" or "false". Correct it or remove the annotation. [DPR302]`
	cluster.Eventually(t, func() error {
		return refusal(enabled, annotated(gateway, `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "yes"`))
	})
	for _, c := range []struct{ want, manifest string }{
		{"metadata.annotations[daprise.dev/enable]: no such key is known on a Gateway", annotated(gateway, "daprise.dev/enabled", "daprise.dev/enable")},
		{"no such key is known on a Gateway", annotated(gateway, `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "true", daprise.dev/callers: a`)},
		{"app-id or app-id.namespace, with commas between", strings.ReplaceAll(annotated(service, `daprise.dev/enabled: "true"`, `daprise.dev/callers: "a b"`), "name: whoami", "name: other")},
		{`"false": a route can only opt out`, strings.ReplaceAll(in(ns, route), "name: whoami-route,", `name: whoami-route, annotations: {daprise.dev/enabled: "true"},`)},
	} {
		if err := refusal(c.want, c.manifest); err != nil {
			t.Error(err)
		}
	}
	// What is well-formed, what is somebody else's, and what does not touch a bad annotation of old.
	apply(t, in(ns, gateway), in(ns, route), strings.ReplaceAll(in(ns, service), "name: whoami", "name: other"),
		strings.ReplaceAll(annotated(service, `daprise.dev/enabled: "true"`, `example.com/enabled: "yes"`), "name: whoami", "name: theirs"))
	kubectl(t, "label", "-n", ns, "service/whoami", "some=label")
	if err := refusal(enabled, annotated(service, `daprise.dev/enabled: "true"`, `daprise.dev/enabled: "no"`)); err != nil {
		t.Error(err)
	}
	if warnings := field(t, ".status.typeChecking.expressionWarnings", "validatingadmissionpolicy", "daprise-syntax"); warnings != "" {
		t.Errorf("the API server warns of its expressions: %s", warnings)
	}
}
