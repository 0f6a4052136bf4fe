// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/daprise/daprise/webhook/hooks"
)

// asked is one thing that the API server is told to send.
type asked struct{ Path, Group, Version, Resource, Operation string }

func compare(a, b asked) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Operation, b.Operation))
}

// TestHooksAndDispatchAgree holds in both directions: nothing is asked for that has no decision, and no decision is never asked for.
func TestHooksAndDispatchAgree(t *testing.T) {
	var want []asked
	add := func(config admissionregistrationv1.WebhookClientConfig, rules []admissionregistrationv1.RuleWithOperations) {
		for _, rule := range rules {
			for _, group := range rule.APIGroups {
				for _, version := range rule.APIVersions {
					for _, resource := range rule.Resources {
						for _, operation := range rule.Operations {
							want = append(want, asked{*config.Service.Path, group, version, resource, string(operation)})
						}
					}
				}
			}
		}
	}
	mutating, validating := hooks.Configurations(hooks.Options{})
	for _, w := range mutating.Webhooks {
		add(w.ClientConfig, w.Rules)
	}
	for _, w := range validating.Webhooks {
		add(w.ClientConfig, w.Rules)
	}
	var got []asked
	for k, d := range dispatchTable() {
		got = append(got, asked{k.phase.path(), k.group, d.version, k.resource, string(k.operation)})
	}
	slices.SortFunc(want, compare)
	slices.SortFunc(got, compare)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-hooks +dispatch:\n%s", diff)
	}
	if len(want) != 30 {
		t.Errorf("%d things are asked for, want 30 as in the admission table", len(want))
	}
}

// TestDispatchIsComplete finds a decider without a function, which would be a panic in production.
func TestDispatchIsComplete(t *testing.T) {
	for k, d := range dispatchTable() {
		if d.need == nil || d.decide == nil || d.version == "" {
			t.Errorf("%v: %+v", k, d)
		}
	}
	if _, ok := dispatchTable()[keyOf(phaseMutate, &admissionv1.AdmissionRequest{})]; ok {
		t.Error("an empty request has a decision")
	}
}
