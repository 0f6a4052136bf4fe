// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/cluster"
)

const (
	mutatingHooks   = "mutatingwebhookconfiguration/" + account
	validatingHooks = "validatingwebhookconfiguration/" + account
)

// hooksAreEdited: what the API server is told to ask is written back, how daprise is reached and other people's webhooks are not.
func hooksAreEdited(t *testing.T) {
	startReplica(t)
	before := map[string]string{}
	for _, hooks := range []string{mutatingHooks, validatingHooks} {
		before[hooks] = field(t, ".webhooks", hooks)
	}
	patch := func(hooks, operations string) { kubectl(t, "patch", hooks, "--type=json", "-p", "["+operations+"]") }
	patch(validatingHooks, `{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"},{"op":"replace","path":"/webhooks/1/rules/0/operations","value":["CREATE"]}`)
	patch(mutatingHooks, `{"op":"replace","path":"/webhooks/0/matchConditions/0/expression","value":"false"},{"op":"add","path":"/webhooks/1/namespaceSelector/matchLabels","value":{"a":"b"}}`)
	same := func() error {
		for hooks, want := range before {
			if diff := cmp.Diff(want, field(t, ".webhooks", hooks)); diff != "" {
				return fmt.Errorf("%s (-before +after):\n%s", hooks, diff)
			}
		}
		return nil
	}
	cluster.Eventually(t, same)
	patch(validatingHooks, `{"op":"remove","path":"/webhooks/3"}`)
	cluster.Eventually(t, same)

	patch(validatingHooks, `{"op":"replace","path":"/webhooks/2/timeoutSeconds","value":3},{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}`)
	cluster.Eventually(t, func() error {
		if policy := field(t, ".webhooks[0].failurePolicy", validatingHooks); policy != "Fail" {
			return errors.New("failurePolicy is " + policy)
		}
		return nil
	})
	if seconds := field(t, ".webhooks[2].timeoutSeconds", validatingHooks); seconds != "3" {
		t.Errorf("a timeout of 3 seconds became %s", seconds)
	}
	patch(validatingHooks, `{"op":"replace","path":"/webhooks/2/timeoutSeconds","value":5}`)
}

// hooksAreDeleted: with a configuration deleted nothing is refused; daprise does not make it anew, the proof fails and is told, and holds again
// once the manifests are applied.
func hooksAreDeleted(t *testing.T) {
	r := startReplica(t)
	leading(t, []*replica{r})
	proven := func() error {
		if age, ok := r.metric(t, "daprise_proof_age_seconds"); !ok || age > 2.5 {
			return fmt.Errorf("proof is %.1f s old", age)
		}
		return nil
	}
	cluster.Eventually(t, proven)
	kubectl(t, "delete", validatingHooks)
	cluster.Eventually(t, func() error {
		if age, _ := r.metric(t, "daprise_proof_age_seconds"); age < 4 {
			return fmt.Errorf("proof is %.1f s old", age)
		}
		return nil
	})
	log, err := os.ReadFile(shared.LogPath(r.name))
	if err != nil {
		t.Fatal(err)
	}
	const want = `"msg":"not proven","namespace":"default","reason":"a Service that must be refused was admitted: the API server did not ask enrolment.validate.daprise.dev"`
	if !strings.Contains(string(log), want) {
		t.Errorf("the log does not say %s", want)
	}
	if field(t, ".metadata.name", validatingHooks) != "" {
		t.Error("it was made anew: daprise could not be removed")
	}
	data, err := yaml.Marshal(find(kustomized(t, "base"), "ValidatingWebhookConfiguration", account).Object)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, string(data))
	cluster.Eventually(t, proven)
}
