// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// TestManifestsOfTheSeverest: of a change that opens every companion each is told of, and of those that refuse it 100 with their manifests.
func TestManifestsOfTheSeverest(t *testing.T) {
	view, policies := grown(t, 300)
	view.Namespaces["infra"] = map[string]string{mesh.LabelCoverage: "warn"}
	for _, team := range []string{"team-0", "team-1", "team-2", "team-3"} {
		view.Namespaces[team] = map[string]string{mesh.LabelCoverage: "warn"}
	}
	before := policy.NewSet(policies...)
	open := compiled(t, `{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: open}, spec: {endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}}`)
	findings := validate.ApplyModes(view, validate.Policy(validate.PolicyWrite{
		Object:    mesh.Object{APIVersion: "cilium.io/v2", Kind: policy.KindCCNP, Name: "open"},
		Operation: validate.Create, View: view, Before: before, After: before.With(open),
	}))
	count := map[mesh.Severity]int{}
	for i, f := range findings {
		count[f.Severity]++
		if told := f.Manifest != ""; told != (i < 100) {
			t.Errorf("finding %d, which is to %s: with a manifest %v", i, f.Severity, told)
		}
	}
	if count[mesh.Deny] != 260 || count[mesh.Warn] != 41 {
		t.Errorf("found %v, want 260 that deny and 41 that warn", count)
	}
}

// TestManifestOfWhatIsCut: a finding about a companion through which one route goes to several apps has its manifest, too.
func TestManifestOfWhatIsCut(t *testing.T) {
	view, policies := grown(t, 2)
	view.Routes[1].Route = view.Routes[0].Route
	before := policy.NewSet(policies...)
	closed := compiled(t, `{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: close}, spec: {endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}, ingressDeny: [{fromEntities: [ingress]}]}}`)
	findings := validate.Policy(validate.PolicyWrite{
		Object:    mesh.Object{APIVersion: "cilium.io/v2", Kind: policy.KindCCNP, Name: "close"},
		Operation: validate.Create, View: view, Before: before, After: before.With(closed),
	})
	if len(findings) != 1 || !strings.HasSuffix(findings[0].Message, "which HTTPRoute team-0/app-0 needs") || findings[0].Manifest == "" {
		t.Errorf("got %+v, want one finding with its manifest", findings)
	}
}
