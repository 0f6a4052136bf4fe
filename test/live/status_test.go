// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/cluster"
)

// row is one of daprise status -o json.
type row struct {
	Namespace, App, Companion, Covered, Meshed, Message string
	Ready, Wanted, Routes                               int
	JoiningSince                                        string
}

func rowsOf(t *testing.T, ns string) map[string]row {
	t.Helper()
	var rows []row
	if err := json.Unmarshal([]byte(daprise(t, 0, "status", "-n", ns, "-o", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	found := map[string]row{}
	for _, r := range rows {
		found[r.App] = r
	}
	return found
}

func TestStatus(t *testing.T) {
	mesh(t, "standing")
	// Companions are looked at a moment after the route.
	cluster.Eventually(t, func() error {
		if rows := rowsOf(t, "standing"); rows["whoami"].Meshed != "Meshed" || rows["ingress"].Meshed != "" {
			return fmt.Errorf("rows are %+v", rows)
		}
		return nil
	})
	var same []row
	if err := yaml.Unmarshal([]byte(daprise(t, 0, "status", "-n", "standing", "-o", "yaml")), &same); err != nil || len(same) != 2 {
		t.Errorf("as YAML: %v, error %v", same, err)
	}
	if out := daprise(t, 0, "status"); !strings.Contains(out, "\nstanding ") {
		t.Errorf("of all namespaces:\n%s", out)
	}
	namespace(t, "nobody")
	if out := daprise(t, 0, "status", "-n", "nobody"); out != "Nothing is enrolled.\n" {
		t.Errorf("of an empty namespace:\n%s", out)
	}
}

// TestStatusOfWhatWaits: a route that was there before waits for companions that are held, and status tells since when and why.
func TestStatusOfWhatWaits(t *testing.T) {
	const ns = "waiting"
	namespace(t, ns)
	apply(t, ns, gateway, app, route)
	enrol(t, ns)
	cluster.Eventually(t, func() error {
		r := rowsOf(t, ns)["whoami"]
		if r.Companion != "Held" || r.Covered != "NotIsolated" || r.Meshed != "Joining" || r.JoiningSince == "" || r.Wanted != 0 {
			return fmt.Errorf("row is %+v", r)
		}
		return nil
	})
	wide := daprise(t, 0, "status", "-n", ns, "-o", "wide")
	if !regexp.MustCompile(`service/whoami +Held +0/0 +NotIsolated +0 +\d+[smh]\S* +companion "whoami" \(waiting\) is open on`).MatchString(wide) {
		t.Errorf("wide is\n%s", wide)
	}
	kubectl(t, "annotate", "-n", ns, "service/whoami", "daprise.dev/enabled-")
	cluster.Eventually(t, func() error {
		if r, there := rowsOf(t, ns)["whoami"]; there {
			return fmt.Errorf("still there: %+v", r)
		}
		return nil
	})
}

// TestStatusWatch: each change of the mesh is shown, and an interrupt is no failure.
func TestStatusWatch(t *testing.T) {
	const ns = "watched"
	namespace(t, ns, "daprise.dev/coverage=warn")
	cmd := exec.CommandContext(t.Context(), binary, "status", "-n", ns, "--watch", "--interval", "1s", "-o", "json")
	cmd.Env = environment()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := json.NewDecoder(out)
	next := func() []row {
		var rows []row
		if err := shown.Decode(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if rows := next(); len(rows) != 0 {
		t.Errorf("at first there is %+v", rows)
	}
	apply(t, ns, app)
	kubectl(t, "annotate", "-n", ns, "service/whoami", "daprise.dev/enabled=true")
	for rows := next(); len(rows) != 1 || rows[0].Companion != "Ready"; rows = next() {
		t.Logf("shown: %+v", rows)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// TestStatusOfOneNamespace: whoever may read one namespace alone sees how its apps stand.
func TestStatusOfOneNamespace(t *testing.T) {
	const ns = "small"
	mesh(t, ns)
	err := shared.Apply(t.Context(), []byte(strings.ReplaceAll(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NAMESPACE}
rules:
- {apiGroups: ["", apps, gateway.networking.k8s.io], resources: [services, deployments, daemonsets, gateways, httproutes, grpcroutes], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jack}]
`, "NAMESPACE", ns)))
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := userKubeconfig(t, "jack")
	// RBAC is read from a watch: the binding takes effect a moment later.
	cluster.Eventually(t, func() error {
		r, err := command(t.Context(), "status", "-n", ns, "--kubeconfig", kubeconfig)
		if err != nil || r.status != 0 || r.stdout != meshed(ns) {
			return fmt.Errorf("%w, exit status %d\n%s%s", err, r.status, r.stdout, r.stderr)
		}
		return nil
	})
	daprise(t, 2, "status", "--kubeconfig", kubeconfig)
}
