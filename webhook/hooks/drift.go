// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// RepairMutating is what a live configuration should be, with the names of its webhooks that are not so. What a webhook is asked about and
// what happens when it fails is as in want; how it is reached (service or URL, caBundle) and how long it is waited for is the
// installation's, and webhooks of other names are not ours. The arguments are not modified.
func RepairMutating(live, want *admissionregistrationv1.MutatingWebhookConfiguration) (*admissionregistrationv1.MutatingWebhookConfiguration, []string) {
	repaired := live.DeepCopy()
	var drifted []string
	repaired.Webhooks, drifted = repair(repaired.Webhooks, want.DeepCopy().Webhooks, func(w *admissionregistrationv1.MutatingWebhook) shared {
		return shared{w.Name, &w.ClientConfig, &w.TimeoutSeconds}
	})
	return repaired, drifted
}

// RepairValidating is RepairMutating for validating webhooks.
func RepairValidating(live, want *admissionregistrationv1.ValidatingWebhookConfiguration) (*admissionregistrationv1.ValidatingWebhookConfiguration, []string) {
	repaired := live.DeepCopy()
	var drifted []string
	repaired.Webhooks, drifted = repair(repaired.Webhooks, want.DeepCopy().Webhooks, func(w *admissionregistrationv1.ValidatingWebhook) shared {
		return shared{w.Name, &w.ClientConfig, &w.TimeoutSeconds}
	})
	return repaired, drifted
}

// shared is what repair reads of either kind of webhook.
type shared struct {
	name    string
	client  *admissionregistrationv1.WebhookClientConfig
	timeout **int32
}

// repair keeps the order of what is live; what is missing comes where it was installed, so that edits and their repair do not shuffle a list.
func repair[W any](live, want []W, read func(*W) shared) ([]W, []string) {
	var drifted []string
	at := func(name string) int {
		return slices.IndexFunc(live, func(w W) bool { return read(&w).name == name })
	}
	next := 0
	for i := range want {
		wanted := read(&want[i])
		switch found := at(wanted.name); {
		case found >= 0:
			next = found + 1
			had := read(&live[found])
			*wanted.client, *wanted.timeout = reached(*had.client, *wanted.client), *had.timeout
			if equality.Semantic.DeepEqual(live[found], want[i]) {
				continue
			}
			live[found] = want[i]
		default:
			if neighbour := slices.IndexFunc(want, func(w W) bool { return at(read(&w).name) >= 0 }); neighbour >= 0 {
				*wanted.client = reached(*read(&live[at(read(&want[neighbour]).name)]).client, *wanted.client)
			}
			live = slices.Insert(live, next, want[i])
			next++
		}
		drifted = append(drifted, wanted.name)
	}
	return live, drifted
}

// reached is a client configuration that leads where live does, to the path that is wanted.
func reached(live, want admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.WebhookClientConfig {
	config := *live.DeepCopy()
	if config.Service != nil && want.Service != nil {
		config.Service.Path = want.Service.Path
	}
	return config
}
