// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// named are the objects that lines with a sign name, sorted: "+ Deployment default/whoami-dapr".
func named(output, sign string) []string {
	var objects []string
	for _, found := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(sign)+` (\w+ \S+/\S+)$`).FindAllStringSubmatch(output, -1) {
		objects = append(objects, found[1])
	}
	slices.Sort(objects)
	return objects
}

// owned are the objects of a namespace that daprise made, in the same form.
func owned(t *testing.T, ns string) []string {
	t.Helper()
	const kinds = "serviceaccounts,configurations.dapr.io,services,poddisruptionbudgets,deployments,daemonsets,ciliumnetworkpolicies,referencegrants"
	out := kubectl(t, "get", "-n", ns, kinds, "-l", "app.kubernetes.io/managed-by=daprise", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}`)
	objects := strings.Fields(strings.ReplaceAll(strings.TrimSpace(out), " ", "\x00"))
	for i, o := range objects {
		objects[i] = strings.ReplaceAll(o, "\x00", " ")
	}
	slices.Sort(objects)
	return objects
}

// TestPlan: what plan --live says that enrolling would make is what enrolling makes, and what it says of leaving is what leaving takes away
// and gives back. plan itself changes nothing.
func TestPlan(t *testing.T) {
	const ns = "planned"
	namespace(t, ns)
	apply(t, ns, gateway, app, split, policies, route)
	plain := spec(t, ns, "httproute/whoami-route")

	planned := daprise(t, 0, "plan", "--live", "--enrol", "gateway/planned/default-gateway", "--enrol", "service/planned/whoami")
	for _, want := range []string{"~ Gateway planned/default-gateway\n", "~ Service planned/whoami\n", "    +    daprise.dev/app-id: whoami\n", "~ HTTPRoute planned/whoami-route\n"} {
		if !strings.Contains(planned, want) {
			t.Errorf("%q is missing in\n%s", want, planned)
		}
	}
	if made := owned(t, ns); len(made) > 0 {
		t.Errorf("plan has made %q", made)
	}
	enrol(t, ns)
	cluster.Eventually(t, func() error {
		if diff := cmp.Diff(named(planned, "+"), owned(t, ns)); diff != "" {
			return fmt.Errorf("objects (-planned +made):\n%s", diff)
		}
		return nil
	})
	cluster.Eventually(t, func() error {
		if out := daprise(t, 0, "status", "-n", ns); out != meshed(ns) {
			return errors.New(out)
		}
		return nil
	})
	if idle := daprise(t, 0, "plan", "--live"); !strings.HasSuffix(idle, "\n0 to change, 0 to create, 0 to delete, 0 refused\n") {
		t.Errorf("a mesh that stands is planned to change:\n%s", idle)
	}

	leaving := daprise(t, 0, "plan", "--live", "--leave", "service/planned/whoami")
	for _, want := range []string{"~ Service planned/whoami\n", "~ HTTPRoute planned/whoami-route\n", "    -    daprise.dev/original:"} {
		if !strings.Contains(leaving, want) {
			t.Errorf("%q is missing in\n%s", want, leaving)
		}
	}
	was := owned(t, ns)
	kubectl(t, "annotate", "-n", ns, "service/whoami", "daprise.dev/enabled-")
	cluster.Eventually(t, func() error {
		left := owned(t, ns)
		gone := slices.DeleteFunc(slices.Clone(was), func(o string) bool { return slices.Contains(left, o) })
		if diff := cmp.Diff(named(leaving, "-"), gone); diff != "" {
			return fmt.Errorf("gone (-planned +gone):\n%s", diff)
		}
		return nil
	})
	if diff := cmp.Diff(plain, spec(t, ns, "httproute/whoami-route")); diff != "" {
		t.Errorf("the route (-before +after):\n%s", diff)
	}
}

func spec(t *testing.T, ns, object string) string {
	t.Helper()
	return kubectl(t, "get", "-n", ns, object, "-o", "jsonpath={.spec}")
}

// TestAnalyze: the answers for the cluster, and for files beside it, are those of admission.
func TestAnalyze(t *testing.T) {
	const ns = "analyzed"
	mesh(t, ns)
	if out := daprise(t, 0, "analyze", "--live"); !strings.Contains("\n"+out, "\n0 deny, ") {
		t.Errorf("a mesh that stands:\n%s", out)
	}
	kubectl(t, "create", "serviceaccount", "-n", ns, "taken-dapr")
	for _, test := range []struct{ name, manifest, code string }{
		{"the name of somebody's ServiceAccount", "apiVersion: v1\nkind: Service\nmetadata: {name: taken, namespace: analyzed, annotations: {daprise.dev/enabled: \"true\"}}\nspec: {selector: {app: other}, ports: [{port: 80}]}\n", "DPR305"},
		{"a port that is not the app's", strings.Replace(example(t, ns, route), "port: 80", "port: 81", 1), "DPR203"},
		{"a companion's Service", strings.Replace(strings.Replace(example(t, ns, route), "name: whoami\n", "name: whoami-dapr\n", 1), "name: whoami-route", "name: other-route", 1), "DPR208"},
		{"a key that is not known", "apiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: analyzed, annotations: {daprise.dev/replica: \"2\"}}\nspec: {ports: [{port: 80}]}\n", "DPR301"},
		{"another app of this ID", "apiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: analyzed, annotations: {daprise.dev/enabled: \"true\", dapr.io/app-id: whoami}}\nspec: {selector: {app: other}, ports: [{port: 80}]}\n", "DPR304"},
		{"well", strings.Replace(example(t, ns, route), "name: whoami-route", "name: more", 1), ""},
		{"in the namespace of the context", strings.Replace(example(t, "default", route), "  namespace: default\n", "", 1), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			admitted, err := shared.KubectlIn(t.Context(), []byte(test.manifest), "apply", "--dry-run=server", "-f", "-")
			if failed := (*controlplane.KubectlError)(nil); err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if test.code != "" && !strings.Contains(admitted.Stderr, "["+test.code+"]") || test.code == "" && err != nil {
				t.Fatalf("admission says %v\n%s", err, admitted.Stderr)
			}
			said, err := commandIn(t.Context(), test.manifest, "analyze", "--live", "-f", "-")
			if err != nil {
				t.Fatal(err)
			}
			if test.code == "" && (said.status != 0 || strings.Contains(said.stdout, "deny DPR")) || test.code != "" && (said.status != 1 || !strings.Contains(said.stdout, "deny "+test.code)) {
				t.Errorf("exit status %d, want the finding %q\n%s%s", said.status, test.code, said.stdout, said.stderr)
			}
		})
	}
	t.Run("a policy that opens it", func(t *testing.T) {
		manifest := "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: open, namespace: analyzed}\nspec: {endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}, ingress: [{fromEntities: [all]}]}\n"
		said, err := commandIn(t.Context(), manifest, "analyze", "--live", "-f", "-")
		if err != nil || said.status != 1 || !strings.Contains(said.stdout, "deny DPR103") {
			t.Errorf("%v, exit status %d:\n%s%s", err, said.status, said.stdout, said.stderr)
		}
	})
}

// TestPods: pods of the cluster are judged, too: one that was given a companion's label while nobody guarded it.
func TestPods(t *testing.T) {
	const ns = "podded"
	mesh(t, ns)
	binding := kubectl(t, "get", "validatingadmissionpolicybinding", "daprise-companion-label", "-o", "yaml")
	kubectl(t, "delete", "validatingadmissionpolicybinding", "daprise-companion-label")
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: stranger, namespace: podded, labels: {daprise.dev/companion: whoami}}\nspec: {containers: [{name: a, image: a}]}\n"
	cluster.Eventually(t, func() error { return shared.Apply(t.Context(), []byte(pod)) })
	if err := shared.Apply(t.Context(), []byte(withoutServerFields(binding))); err != nil {
		t.Fatal(err)
	}
	out := daprise(t, 1, "analyze", "--live")
	if !strings.Contains(out, "DPR113") || !strings.Contains(out, "stranger") {
		t.Errorf("the pod is not told of:\n%s", out)
	}
}

// TestUninject takes back what a cluster holds: a List of everything, in both of kubectl's forms, becomes one of what its authors wrote.
func TestUninject(t *testing.T) {
	const ns = "taken"
	mesh(t, ns)
	for _, format := range []string{"yaml", "json"} {
		stored := kubectl(t, "get", "-n", ns, "services,deployments,httproutes", "-o", format)
		r, err := commandIn(t.Context(), stored, "uninject", "-f", "-")
		if err != nil || r.status != 0 {
			t.Fatalf("%v, exit status %d\n%s", err, r.status, r.stderr)
		}
		for _, of := range []string{"app.kubernetes.io/managed-by: daprise", `"app.kubernetes.io/managed-by": "daprise"`, "daprise.dev/app-id", "daprise.dev/original", "/v1.0/invoke"} {
			if strings.Contains(r.stdout, of) {
				t.Errorf("%s: %s is left in\n%s", format, of, r.stdout)
			}
		}
		// A List that can be read is one that kubectl takes.
		out, err := shared.KubectlIn(t.Context(), []byte(r.stdout), "apply", "--dry-run=client", "-o", "name", "-f", "-")
		if err != nil {
			t.Fatalf("%v\n%s", err, r.stdout)
		}
		want := "service/whoami\nservice/whoami-v1\nservice/whoami-v2\ndeployment.apps/whoami-v1\ndeployment.apps/whoami-v2\nhttproute.gateway.networking.k8s.io/whoami-route\nhttproute.gateway.networking.k8s.io/whoami-route-service\n"
		if diff := cmp.Diff(want, out.Stdout); diff != "" {
			t.Errorf("%s: objects (-want +got):\n%s", format, diff)
		}
	}
}

// TestGraph draws the cluster.
func TestGraph(t *testing.T) {
	const ns = "drawn"
	mesh(t, ns)
	out := daprise(t, 0, "graph", "--live", "-o", "dot")
	for _, want := range []string{
		`[label="gateway\ndrawn/default-gateway"]`, `[label="ingress companion\ndrawn/ingress"]`, `[label="companion\ndrawn/whoami"]`,
		`[label="app\ndrawn/whoami"]`, `[label="backend\ndrawn/whoami-v1"]`, `[label="HTTPRoute whoami-route\ncovered"`, `[label="3500\ncovered"`, `[label="weight 50"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
	kubectl(t, "label", "namespace", ns, "daprise.dev/coverage=warn")
	kubectl(t, "delete", "-n", ns, "ciliumnetworkpolicy/allow-ingress-shared-to-whoami")
	if out := daprise(t, 0, "graph", "--live", "-o", "dot"); !strings.Contains(out, `[label="HTTPRoute whoami-route\nexposed"`) {
		t.Errorf("without its policy the companion is not exposed:\n%s", out)
	}
}

// TestTrace judges flows by the policies of the cluster.
func TestTrace(t *testing.T) {
	const ns = "traced"
	mesh(t, ns)
	out := daprise(t, 0, "trace", "--live", "--from", "app:traced/ingress", "--to", "app:traced/whoami", "--port", "50002/TCP")
	if !strings.Contains(out, "CiliumNetworkPolicy/traced/allow-ingress-shared-to-whoami") {
		t.Errorf("got\n%s", out)
	}
	daprise(t, 1, "trace", "--live", "--from", "pod:other/app=x", "--to", "app:traced/whoami", "--port", "50002/TCP")
	if out := daprise(t, 0, "exposure", "--live", "app:traced/whoami", "--port", "50002"); !strings.HasPrefix(out, "50002/TCP closed but for what rules allow\n") {
		t.Errorf("exposure is\n%s", out)
	}
	if out := daprise(t, 0, "policy", "--live"); !strings.Contains(out, "namespace: traced\n") {
		t.Errorf("the policies are\n%s", out)
	}
}

// TestAccess: the cluster is found by the flags that kubectl has, and by kubectl itself.
func TestAccess(t *testing.T) {
	config := shared.AdminConfig()
	folder := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty := write("empty", nil)
	flags := []string{
		"--kubeconfig", empty, "-s", config.Host, "--certificate-authority", write("ca", config.CAData),
		"--client-certificate", write("crt", config.CertData), "--client-key", write("key", config.KeyData), "--request-timeout", "30s",
	}
	daprise(t, 0, append([]string{"status"}, flags...)...)
	r, err := command(t.Context(), append([]string{"status", "--as", "jane"}, flags...)...)
	if err != nil || r.status != 2 || !strings.Contains(r.stderr, `User "jane" cannot`) {
		t.Errorf("as another: %v, exit status %d, %s", err, r.status, r.stderr)
	}
	r, err = command(t.Context(), "status", "--context", "absent")
	if err != nil || r.status != 2 || !strings.Contains(r.stderr, `context "absent" does not exist`) {
		t.Errorf("an absent context: %v, exit status %d, %s", err, r.status, r.stderr)
	}
}

// TestPlugin: kubectl daprise is the CLI under another name.
func TestPlugin(t *testing.T) {
	folder := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(folder, "kubectl-daprise")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	// kubectl hands its flags on to no plugin.
	t.Setenv("KUBECONFIG", shared.Kubeconfig())
	// As docs/cli.md says.
	completion := "#!/bin/sh\nexec kubectl-daprise __complete \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "kubectl_complete-daprise"), []byte(completion), 0o755); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"daprise version": "unknown\n", "daprise explain --help": "kubectl daprise explain CODE...", "__complete daprise stat": "status\t",
	} {
		out, err := runKubectl(t, strings.Fields(args)...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("kubectl %s: %v, %s", args, err, out)
		}
	}
}

// TestInstall: what the binary carries is what a cluster takes.
func TestInstall(t *testing.T) {
	manifests := daprise(t, 0, "install")
	if out, err := shared.KubectlIn(t.Context(), []byte(manifests), "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"); err != nil {
		t.Errorf("%v\n%s%s", err, out.Stdout, out.Stderr)
	}
}
