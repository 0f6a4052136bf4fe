// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	for hooks, kind := range map[string]string{mutatingHooks: "MutatingWebhookConfiguration", validatingHooks: "ValidatingWebhookConfiguration"} {
		// Whoever compares with what was installed, as GitOps does, finds the same order: the caBundle alone is daprise's.
		if diff := cmp.Diff(installedHooks(t, kind), strings.Fields(field(t, ".webhooks[*].name", hooks))); diff != "" {
			t.Errorf("%s (-installed +live):\n%s", hooks, diff)
		}
	}
	before := map[string][]map[string]any{}
	for _, hooks := range []string{mutatingHooks, validatingHooks} {
		before[hooks] = webhooksOf(t, hooks)
	}
	patch := func(hooks, operations string) { kubectl(t, "patch", hooks, "--type=json", "-p", "["+operations+"]") }
	enrolment, routes, policies := hookIndex(t, validatingHooks, "enrolment"), hookIndex(t, validatingHooks, "routes"), hookIndex(t, validatingHooks, "policies")
	patch(validatingHooks, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/failurePolicy","value":"Ignore"},{"op":"replace","path":"/webhooks/%d/rules/0/operations","value":["CREATE"]}`, enrolment, routes))
	patch(mutatingHooks, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/matchConditions/0/expression","value":"false"},{"op":"add","path":"/webhooks/%d/namespaceSelector/matchLabels","value":{"a":"b"}}`,
		hookIndex(t, mutatingHooks, "enrolment"), hookIndex(t, mutatingHooks, "routes")))
	same := func() error {
		for hooks, want := range before {
			if diff := cmp.Diff(want, webhooksOf(t, hooks)); diff != "" {
				return fmt.Errorf("%s (-before +after):\n%s", hooks, diff)
			}
		}
		return nil
	}
	cluster.Eventually(t, same)
	patch(validatingHooks, fmt.Sprintf(`{"op":"remove","path":"/webhooks/%d"}`, hookIndex(t, validatingHooks, "namespaces")))
	cluster.Eventually(t, same)

	// The caBundle alone, wiped and replaced.
	other := base64.StdEncoding.EncodeToString(madeAuthority(t).pem)
	patch(mutatingHooks, `{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}`)
	patch(validatingHooks, fmt.Sprintf(`{"op":"replace","path":"/webhooks/1/clientConfig/caBundle","value":%q}`, other))
	cluster.Eventually(t, same)

	patch(validatingHooks, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/timeoutSeconds","value":3},{"op":"replace","path":"/webhooks/%d/failurePolicy","value":"Ignore"}`, policies, enrolment))
	cluster.Eventually(t, func() error {
		if policy := field(t, fmt.Sprintf(".webhooks[%d].failurePolicy", enrolment), validatingHooks); policy != "Fail" {
			return errors.New("failurePolicy is " + policy)
		}
		return nil
	})
	if seconds := field(t, fmt.Sprintf(".webhooks[%d].timeoutSeconds", policies), validatingHooks); seconds != "3" {
		t.Errorf("a timeout of 3 seconds became %s", seconds)
	}
	patch(validatingHooks, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/timeoutSeconds","value":5}`, policies))
}

// webhooksOf are the webhooks of a configuration, in its order.
func webhooksOf(t *testing.T, hooks string) []map[string]any {
	t.Helper()
	var all []map[string]any
	if err := json.Unmarshal([]byte(field(t, ".webhooks", hooks)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// installedHooks are the names of webhooks as deploy/base has them.
func installedHooks(t *testing.T, kind string) []string {
	t.Helper()
	webhooks, _, err := unstructured.NestedSlice(find(kustomized(t, "base"), kind, account).Object, "webhooks")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range webhooks {
		names = append(names, w.(map[string]any)["name"].(string))
	}
	return names
}

// hookIndex is where a webhook is in its configuration: "enrolment" for enrolment.validate.daprise.dev.
func hookIndex(t *testing.T, hooks, name string) int {
	t.Helper()
	for i, full := range strings.Fields(field(t, ".webhooks[*].name", hooks)) {
		if strings.HasPrefix(full, name+".") {
			return i
		}
	}
	t.Fatalf("%s has no webhook %s", hooks, name)
	return 0
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
	const want = `"msg":"not proven","namespace":"default","reason":"a Service that must be refused was admitted: the API server did not ask enrolment.validate.daprise.dev"`
	cluster.Eventually(t, func() error {
		log, err := os.ReadFile(shared.LogPath(r.name))
		if err == nil && !strings.Contains(string(log), want) {
			err = fmt.Errorf("the log does not say %s", want)
		}
		return err
	})
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
