// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/cmd/daprise/internal/notation"
)

// fields of an object.
type fields = map[string]any

// scenario draws the objects of the scenario, and one that nobody reads.
func scenario(t *rapid.T) []map[string]any {
	enabled := func() fields { return fields{"daprise.dev/enabled": "true"} }
	labels := func() fields { return fields{"app": "whoami"} }
	container := fields{"name": "whoami", "image": "traefik/whoami", "ports": []any{fields{"name": "http", "containerPort": 80}}}
	if rapid.Bool().Draw(t, "env") {
		container["env"] = []any{fields{"name": "NAME", "value": "<whoami> & co."}}
	}
	service := fields{"name": "whoami", "annotations": enabled()}
	if rapid.Bool().Draw(t, "labels") {
		service["labels"] = labels()
	}
	rules := []any{fields{"matches": []any{fields{"path": fields{"type": "PathPrefix", "value": "/"}}}, "backendRefs": []any{fields{"name": "whoami", "port": 80}}}}
	if rapid.Bool().Draw(t, "two rules") {
		rules = append(rules, fields{"matches": []any{fields{"path": fields{"type": "PathPrefix", "value": "/api"}}}, "backendRefs": []any{fields{"name": "whoami", "port": 80}}})
	}
	objects := []map[string]any{
		{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": fields{"name": "default-gateway", "annotations": fields{"daprise.dev/enabled": "true", "dapr.io/app-id": "ingress"}},
			"spec": fields{"gatewayClassName": "cilium", "listeners": []any{fields{"name": "http", "port": 80, "protocol": "HTTP"}}},
		},
		{"apiVersion": "v1", "kind": "Service", "metadata": service, "spec": fields{"selector": labels(), "ports": []any{fields{"name": "http", "port": 80}}}},
		{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": fields{"name": "whoami", "labels": labels(), "annotations": enabled()},
			"spec": fields{"selector": fields{"matchLabels": labels()}, "template": fields{"metadata": fields{"labels": labels()}, "spec": fields{"containers": []any{container}}}},
		},
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": fields{"name": "nobody-reads-this"}, "data": fields{"on": "true", "text": "a\nb"}},
		{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": fields{"name": "whoami-route"},
			"spec": fields{"parentRefs": []any{fields{"name": "default-gateway"}}, "hostnames": []any{"whoami.example.com"}, "rules": rules},
		},
	}
	return rapid.Permutation(objects).Draw(t, "objects")
}

// layout draws a file with the objects: a stream of YAML, a List in YAML, or a List in JSON in one of the layouts of programs.
func layout(t *rapid.T, objects []map[string]any) string {
	list := fields{"apiVersion": "v1", "kind": "List", "items": objects}
	marshalled := func(marshal func(any) ([]byte, error)) string {
		data, err := marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
	}
	switch rapid.IntRange(0, 7).Draw(t, "format") {
	case 0:
		return marshalled(json.Marshal)
	case 1:
		indent := rapid.SampledFrom([]string{"  ", "    ", "\t"}).Draw(t, "JSON indent")
		return marshalled(func(v any) ([]byte, error) { return json.MarshalIndent(v, "", indent) })
	case 2:
		return marshalled(spaced)
	case 3, 4:
		var out strings.Builder
		out.WriteString("apiVersion: v1\nkind: List\nitems:\n")
		for _, o := range objects {
			dash := "- "
			for line := range strings.Lines(notation.Document(t, o)) {
				prefix := "  "
				if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
					prefix, dash = dash, "  "
				}
				out.WriteString(prefix + line)
			}
		}
		return notation.Ended(t, out.String())
	default:
		var docs []string
		for _, o := range objects {
			docs = append(docs, notation.Document(t, o))
		}
		return notation.Ended(t, strings.Join(docs, "---\n"))
	}
}

// spaced is JSON in one line as Python writes it.
func spaced(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "")
	return []byte(strings.NewReplacer(",\n", ", ", "\n", "").Replace(string(data))), err
}

// TestInverseOfDrawnFiles: however files are written, uninject gives back their bytes after inject.
func TestInverseOfDrawnFiles(t *testing.T) {
	folder := t.TempDir()
	in := filepath.Join(folder, "in.yaml")
	rapid.Check(t, func(r *rapid.T) {
		text := layout(r, scenario(r))
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			r.Fatal(err)
		}
		there := execute(t, []string{"inject", "-f", in, "-f", "testdata/world/policies.yaml"}, "")
		if !strings.Contains(there, "daprise.dev/original") || !strings.Contains(there, "DAPR_HTTP_ENDPOINT") {
			r.Fatalf("not injected:\n%s", there)
		}
		plain := execute(t, []string{"uninject", "-f", in, "-f", "testdata/world/policies.yaml"}, "")
		if !strings.HasPrefix(plain, text) {
			r.Fatalf("uninject changes what it has nothing to take back from (-want +got):\n%s", cmp.Diff(text, plain))
		}
		if diff := cmp.Diff(plain, execute(t, []string{"uninject", "-f", "-"}, there)); diff != "" {
			r.Fatalf("(-want +got):\n%s\nin between:\n%s", diff, there)
		}
		if twice := execute(t, []string{"inject", "-f", "-"}, there); twice != there {
			r.Fatalf("inject twice (-once +twice):\n%s", cmp.Diff(there, twice))
		}
	})
}
