// SPDX-License-Identifier: Apache-2.0

package hooks_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/webhook/hooks"
)

// installed is the validating configuration as an installation has it: with its own CA, port and timeout, and somebody else's webhook.
func installed() *admissionregistrationv1.ValidatingWebhookConfiguration {
	_, validating := hooks.Configurations(hooks.Options{ExemptNamespaces: []string{"kube-system"}})
	for i := range validating.Webhooks {
		w := &validating.Webhooks[i]
		w.ClientConfig.CABundle = []byte("ca")
		w.ClientConfig.Service.Port = new(int32(9443))
		w.TimeoutSeconds = new(int32(3))
	}
	validating.Webhooks = append(validating.Webhooks, admissionregistrationv1.ValidatingWebhook{Name: "other.example.com"})
	return validating
}

func TestRepairValidating(t *testing.T) {
	_, want := hooks.Configurations(hooks.Options{ExemptNamespaces: []string{"kube-system"}})
	for _, c := range []struct {
		name  string
		edit  func(*admissionregistrationv1.ValidatingWebhookConfiguration)
		drift []string
	}{
		{"as installed", func(*admissionregistrationv1.ValidatingWebhookConfiguration) {}, nil},
		{"fails open", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore)
		}, []string{"enrolment.validate.daprise.dev"}},
		{"a rule less", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[2].Rules = c.Webhooks[2].Rules[1:]
		}, []string{"policies.validate.daprise.dev"}},
		{"a namespace is exempt", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[1].NamespaceSelector.MatchLabels = map[string]string{"a": "b"}
		}, []string{"routes.validate.daprise.dev"}},
		{"objects are selected", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[1].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, []string{"routes.validate.daprise.dev"}},
		{"the condition excludes more", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].MatchConditions[0].Expression = "false"
		}, []string{"enrolment.validate.daprise.dev"}},
		{"another path", func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Webhooks[3].ClientConfig.Service.Path = new("/healthz")
		}, []string{"namespaces.validate.daprise.dev"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := installed()
			c.edit(live)
			before := live.DeepCopy()
			repaired, drift := hooks.RepairValidating(live, want)
			if diff := cmp.Diff(c.drift, drift); diff != "" {
				t.Errorf("drifted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(installed(), repaired); diff != "" {
				t.Errorf("repaired (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, live); diff != "" {
				t.Errorf("the live configuration was modified:\n%s", diff)
			}
		})
	}
}

// TestRepairPutsBack: a webhook that was taken out comes where it was, reached as those of ours that are left, and is waited for as long as we ask for.
func TestRepairPutsBack(t *testing.T) {
	_, want := hooks.Configurations(hooks.Options{})
	installed := want.DeepCopy()
	for i := range installed.Webhooks {
		installed.Webhooks[i].ClientConfig = admissionregistrationv1.WebhookClientConfig{
			URL: new("https://localhost:1" + *want.Webhooks[i].ClientConfig.Service.Path), CABundle: []byte("ca"),
		}
	}
	foreign := admissionregistrationv1.ValidatingWebhook{Name: "other.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new("https://example.com")}}
	installed.Webhooks = append(installed.Webhooks, foreign)
	for i, w := range want.Webhooks {
		t.Run(w.Name, func(t *testing.T) {
			live := installed.DeepCopy()
			live.Webhooks = slices.Delete(live.Webhooks, i, i+1)
			repaired, drift := hooks.RepairValidating(live, want)
			if diff := cmp.Diff([]string{w.Name}, drift); diff != "" {
				t.Errorf("drifted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(installed, repaired); diff != "" {
				t.Errorf("repaired (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		live := want.DeepCopy()
		live.Webhooks = []admissionregistrationv1.ValidatingWebhook{foreign}
		repaired, _ := hooks.RepairValidating(live, want)
		if diff := cmp.Diff(append(want.DeepCopy().Webhooks, foreign), repaired.Webhooks); diff != "" {
			t.Errorf("repaired (-want +got):\n%s", diff)
		}
	})
}
