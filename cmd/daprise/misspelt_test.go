// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMisspeltOrElsewhere: files are one world, as a cluster is to admission: an app ID that an app of another namespace has is no slip of
// whoever wrote a policy (DPR111).
func TestMisspeltOrElsewhere(t *testing.T) {
	const app = "apiVersion: v1\nkind: Service\nmetadata:\n  name: NAME\n  namespace: NAMESPACE\n  annotations: {daprise.dev/enabled: \"true\"}\n" +
		"spec:\n  selector: {app: NAME}\n  ports: [{name: http, port: 80}]\n---\n"
	const policy = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: whoamy, namespace: default}\n" +
		"spec: {endpointSelector: {matchLabels: {dapr.io/app-id: whoamy}}, ingress: [{}]}\n"
	named := func(name, namespace string) string {
		return strings.NewReplacer("NAMESPACE", namespace, "NAME", name).Replace(app)
	}
	for _, tt := range []struct {
		name, files string
		told        bool
	}{
		{"nobody has it", named("whoami", "default") + policy, true},
		{"another namespace's app has it", named("whoami", "default") + named("whoamy", "shop") + policy, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "in.yaml")
			if err := os.WriteFile(in, []byte(tt.files), 0o600); err != nil {
				t.Fatal(err)
			}
			out := execute(t, []string{"analyze", "-f", in, "-o", "json", "--mode", "strict"}, "")
			if told := strings.Contains(out, "DPR111"); told != tt.told {
				t.Errorf("told of a slip: %v, want %v:\n%s", told, tt.told, out)
			}
		})
	}
}
