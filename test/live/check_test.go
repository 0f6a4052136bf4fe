// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// line is one of daprise check -o json.
type line struct{ Check, State, Message, Hint string }

func linesOf(t *testing.T, output string) []string {
	t.Helper()
	var lines []line
	if err := json.Unmarshal([]byte(output), &lines); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	var all []string
	day := regexp.MustCompile(`\d{4}-\d\d-\d\d`)
	for _, l := range lines {
		all = append(all, day.ReplaceAllString(fmt.Sprintf("%s %s: %s", l.State, l.Check, l.Message), "DAY"))
	}
	return all
}

// kubernetes is what the API server says that it is, and what check says of that: the newest one is built outside of its release.
func kubernetes(t *testing.T) (version, line string) {
	t.Helper()
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	if version, err = parts.GitVersion(root); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(version, "v0.") {
		return version, "warn kubernetes: the API server says that it is " + version + ", which is no version"
	}
	return version, "ok kubernetes: " + version
}

// gatewayAPI is the version whose CRDs are installed.
func gatewayAPI(t *testing.T) string {
	t.Helper()
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := parts.FindModules(t.Context(), root, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return modules.Module(parts.ModuleGatewayAPI).Version
}

// environs are the lines about what is around daprise.
func environs(t *testing.T) []string {
	t.Helper()
	_, line := kubernetes(t)
	return []string{
		line,
		"ok cilium: 1.20.2",
		"ok gateway api: " + gatewayAPI(t),
		"ok gateway api: GatewayClass cilium is accepted by io.cilium/gateway-controller",
		"ok dapr: dapr-sentry 1.18.2 is available",
		"ok dapr: dapr-operator 1.18.2 is available",
		"ok dapr: Dapr's root certificate is valid until DAY",
	}
}

func TestCheckBeforeInstall(t *testing.T) {
	want := append(environs(t),
		"skip cert-manager: not used: daprise signs its certificate itself",
		"skip daprise: not installed",
		"skip hooks: daprise is not installed",
		"skip certificate: daprise is not installed",
		"skip enforcing: daprise is not installed",
		"ok dapr-shared: nothing is left of the chart",
	)
	if diff := cmp.Diff(want, linesOf(t, before.stdout)); diff != "" || before.status != 0 {
		t.Errorf("exit status %d, lines (-want +got):\n%s", before.status, diff)
	}
}

// well are the lines of daprise installed and whole.
func well(t *testing.T) []string {
	t.Helper()
	return append(environs(t),
		"skip cert-manager: not used: daprise signs its certificate itself",
		"ok daprise: 2 of 2 pods are available",
		"ok hooks: both webhook configurations and 4 policies are those of this version",
		"ok certificate: the CA in the caBundle is valid until DAY",
		"ok enforcing: enrolment: what has to be refused is refused",
		"ok enforcing: routes: what has to be refused is refused",
		"ok enforcing: the companions' label: what has to be refused is refused",
		"ok dapr-shared: nothing is left of the chart",
	)
}

// checked waits for daprise check to end with a status and to say lines.
func checked(t *testing.T, status int, want []string, args ...string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		r, err := command(t.Context(), append([]string{"check", "-o", "json"}, args...)...)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, linesOf(t, r.stdout)); diff != "" || r.status != status {
			return fmt.Errorf("exit status %d, want %d: %s\nlines (-want +got):\n%s", r.status, status, r.stderr, diff)
		}
		return nil
	})
}

func TestCheck(t *testing.T) {
	checked(t, 0, well(t))
	warned := 0
	if slices.ContainsFunc(well(t), func(line string) bool { return strings.HasPrefix(line, "warn ") }) {
		warned = 1
	}
	checked(t, warned, well(t), "--threshold", "warn")
	out := daprise(t, 0, "check")
	if want := "ok     cilium       1.20.2\n"; !strings.Contains(out, want) {
		t.Errorf("%q is missing in\n%s", want, out)
	}
	want := "warn   kubernetes   the API server says that it is v0.0.0-master+$Format:%H$, which is no version\n                    Run a release, 1.31.0 or later.\n"
	if version, line := kubernetes(t); strings.HasPrefix(line, "ok ") {
		want = "ok     kubernetes   " + version + "\n"
	}
	if !strings.HasPrefix(out, want) {
		t.Errorf("%q is missing in\n%s", want, out)
	}
	if stored := kubectl(t, "get", "services,httproutes,pods", "--all-namespaces", "--field-selector", "metadata.name=daprise-proof", "-o", "name"); stored != "" {
		t.Errorf("a proof was stored:\n%s", stored)
	}
}

// replaced are lines with others in the place of those that begin so after their state, "check: message"; an empty one is left out.
func replaced(lines []string, with map[string]string) []string {
	var all []string
	for _, l := range lines {
		_, said, _ := strings.Cut(l, " ")
		for beginning, other := range with {
			if strings.HasPrefix(said, beginning) {
				l = other
			}
		}
		if l != "" {
			all = append(all, l)
		}
	}
	return all
}

// TestCheckProves: what is not enforced is told, whatever the configurations look like.
func TestCheckProves(t *testing.T) {
	t.Run("an exempt namespace proves nothing", func(t *testing.T) {
		namespace(t, "exempt", "daprise.dev/admission=disabled")
		checked(t, 0, replaced(well(t), map[string]string{
			"enforcing: enrolment": "warn enforcing: nothing is proved: namespace exempt does not exist or is exempt from admission",
			"enforcing: routes":    "", "enforcing: the companions' label": "",
		}), "-n", "exempt")
	})
	t.Run("hooks that fail open, with daprise down", func(t *testing.T) {
		if err := shared.KillServer(); err != nil {
			t.Fatal(err)
		}
		failing(t, "Ignore")
		r, err := command(t.Context(), "check", "-o", "json")
		if err != nil {
			t.Fatal(err)
		}
		have := strings.Join(linesOf(t, r.stdout), "\n")
		for _, want := range []string{
			"fail hooks: hook enrolment.mutate.daprise.dev has failurePolicy Ignore instead of Fail",
			"fail enforcing: enrolment: what has to be refused is admitted",
			"fail enforcing: routes: what has to be refused is admitted",
			"ok enforcing: the companions' label: what has to be refused is refused",
		} {
			if !strings.Contains(have, want) || r.status != 1 {
				t.Errorf("exit status %d; %q is missing in\n%s", r.status, want, have)
			}
		}
		failing(t, "Fail")
		if out := daprise(t, 1, "check", "-o", "json"); !strings.Contains(out, "enrolment: daprise does not answer, and what it would judge cannot be written") {
			t.Errorf("with daprise down:\n%s", out)
		}
		if err := shared.StartServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		checked(t, 0, well(t))
	})
	t.Run("a guard that is gone", func(t *testing.T) {
		kept := kubectl(t, "get", "validatingadmissionpolicybinding", "daprise-companion-label", "-o", "yaml")
		kubectl(t, "delete", "validatingadmissionpolicybinding", "daprise-companion-label")
		checked(t, 1, replaced(well(t), map[string]string{
			"hooks: both":                      "fail hooks: ValidatingAdmissionPolicy daprise-companion-label or its binding does not exist",
			"enforcing: the companions' label": "fail enforcing: the companions' label: what has to be refused is admitted",
		}))
		if err := shared.Apply(t.Context(), []byte(withoutServerFields(kept))); err != nil {
			t.Fatal(err)
		}
		checked(t, 0, well(t))
	})
}

// failing gives the hooks of enrolments and routes a failurePolicy.
func failing(t *testing.T, policy string) {
	t.Helper()
	for kind, names := range map[string][]string{
		"mutating": {"enrolment.mutate.daprise.dev", "routes.mutate.daprise.dev"}, "validating": {"enrolment.validate.daprise.dev", "routes.validate.daprise.dev"},
	} {
		for _, name := range names {
			patch := fmt.Sprintf(`{"webhooks": [{"name": %q, "failurePolicy": %q}]}`, name, policy)
			kubectl(t, "patch", kind+"webhookconfiguration", "daprise-webhook", "--type=strategic", "-p", patch)
		}
	}
}

// withoutServerFields is an object as it can be created again.
func withoutServerFields(object string) string {
	return regexp.MustCompile(`(?m)^  (resourceVersion|uid|creationTimestamp|generation): .*\n`).ReplaceAllString(object, "")
}

// TestCheckFollowsCertManager: where the webhook configurations want a CA of cert-manager, its Certificate is looked at.
func TestCheckFollowsCertManager(t *testing.T) {
	const name = "daprise-system/daprise-webhook-serving"
	said := func(line string) []string { return replaced(well(t), map[string]string{"cert-manager: ": line}) }
	kubectl(t, "annotate", "validatingwebhookconfiguration", "daprise-webhook", "cert-manager.io/inject-ca-from="+name)
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "annotate", "validatingwebhookconfiguration", "daprise-webhook", "cert-manager.io/inject-ca-from-"); err != nil {
			t.Error(err)
		}
	})
	checked(t, 1, said("fail cert-manager: the webhook configurations want the CA of Certificate "+name+", and the API server does not serve that kind"))
	if err := shared.InstallCRDs(t.Context(), controlplane.CertManager); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.RemoveCRDs(context.Background(), controlplane.CertManager); err != nil {
			t.Error(err)
		}
	})
	checked(t, 1, said("fail cert-manager: Certificate "+name+" does not exist"))
	for document := range strings.SplitSeq(daprise(t, 0, "install", "--certificates", "cert-manager"), "---\n") {
		if strings.Contains(document, "kind: Certificate\n") && strings.Contains(document, "name: daprise-webhook-serving\n") {
			if err := shared.Apply(t.Context(), []byte(document)); err != nil {
				t.Fatal(err)
			}
		}
	}
	checked(t, 1, said("fail cert-manager: Certificate "+name+" is not ready"))
	ready := `{"status": {"notAfter": "2126-01-01T00:00:00Z", "conditions": [{"type": "Ready", "status": "True"}]}}`
	kubectl(t, "patch", "-n", "daprise-system", "certificate/daprise-webhook-serving", "--subresource=status", "--type=merge", "-p", ready)
	checked(t, 0, said("ok cert-manager: Certificate "+name+" is ready and valid until DAY"))
}

// TestCheckFindsLeftovers of the official chart, as it names and labels them.
func TestCheckFindsLeftovers(t *testing.T) {
	const ns = "leftovers"
	namespace(t, ns)
	manifests := strings.ReplaceAll(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: whoami-dapr-shared-secret-reader}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, list]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: whoami-shared-cm, namespace: NAMESPACE}
data: {dapr-trust-anchors: "", dapr-cert-chain: "", dapr-cert-key: "-----BEGIN EC PRIVATE KEY-----"}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: whoami-dapr-shared, namespace: NAMESPACE, labels: {helm.sh/chart: dapr-shared-0.0.10, app.kubernetes.io/name: dapr-shared, app.kubernetes.io/instance: whoami, app.kubernetes.io/managed-by: Helm}}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: dapr-shared}}
  template: {metadata: {labels: {app.kubernetes.io/name: dapr-shared}}, spec: {containers: [{name: daprd, image: "docker.io/daprio/daprd:1.12.3"}]}}
`, "NAMESPACE", ns)
	if err := shared.Apply(t.Context(), []byte(manifests)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "clusterrole", "whoami-dapr-shared-secret-reader"); err != nil {
			t.Error(err)
		}
	})
	want := well(t)
	checked(t, 1, append(want[:len(want)-1],
		"fail dapr-shared: ConfigMap leftovers/whoami-shared-cm holds a private key of Dapr's CA: whoever reads it can be any app",
		"warn dapr-shared: DaemonSet leftovers/whoami-dapr-shared is an instance of the dapr-shared chart",
		"warn dapr-shared: ClusterRoles of the dapr-shared chart let its instances read every Secret: clusterrole/whoami-dapr-shared-secret-reader",
	))
}

// TestCheckWithoutRights: what may not be read is told, the rest is checked all the same, and the exit status says so.
func TestCheckWithoutRights(t *testing.T) {
	out := daprise(t, 2, "check", "--kubeconfig", userKubeconfig(t, "jane"))
	_, line := kubernetes(t)
	state, _, _ := strings.Cut(line, " ")
	if !strings.Contains(out, "\nunread cilium ") || !strings.HasPrefix(out, fmt.Sprintf("%-6s kubernetes ", state)) {
		t.Errorf("got\n%s", out)
	}
}
