// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/mesh"
)

// TestMutateGoldens runs every golden of mutate through the CLI: its View is written out as the objects that give that View, and its
// route as a file beside them. The stored route and the refusals must be those of the golden. Goldens of updates are about what is
// stored already, of which files say nothing: they are left to the server.
func TestMutateGoldens(t *testing.T) {
	folders, err := filepath.Glob("../../mutate/testdata/route/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	ran := 0
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "old.yaml")); err == nil {
			continue
		}
		ran++
		t.Run(filepath.Base(folder), func(t *testing.T) {
			var view mesh.View
			if err := yaml.UnmarshalStrict(contents(t, folder, "view.yaml"), &view); err != nil {
				t.Fatal(err)
			}
			args := worldFiles(t, &view)
			in := filepath.Join(t.TempDir(), "in.yaml")
			if err := os.WriteFile(in, contents(t, folder, "in.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-f", in)
			covered := filepath.Join(t.TempDir(), "policies.yaml")
			if err := os.WriteFile(covered, []byte(execute(t, append([]string{"policy"}, args...), "")), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-f", covered)
			checkFindings(t, folder, execute(t, append([]string{"analyze", "-o", "json"}, args...), ""))
			checkOutcome(t, folder, execute(t, append([]string{"inject"}, args...), ""))
		})
	}
	if ran < len(folders)/2 {
		t.Errorf("%d of %d goldens ran", ran, len(folders))
	}
}

func contents(t *testing.T, folder, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return data
}

// checkFindings: everything that the golden says of the route is said, in its words.
func checkFindings(t *testing.T, folder, output string) {
	t.Helper()
	var got struct{ Findings []mesh.Finding }
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range got.Findings {
		texts = append(texts, f.Text())
	}
	all := strings.Join(texts, "\n") + "\n"
	for _, file := range []string{"error.txt", "warnings.txt"} {
		want := string(contents(t, folder, file))
		for _, line := range strings.SplitAfter(want, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(all, line) {
				t.Errorf("%s: not said: %s\nsaid:\n%s", file, line, all)
			}
		}
	}
}

// checkOutcome: the route is as the golden has it, or, refused, as it was.
func checkOutcome(t *testing.T, folder, output string) {
	t.Helper()
	want := contents(t, folder, "out.yaml")
	if len(want) == 0 {
		want = contents(t, folder, "in.yaml")
	}
	wanted := object(t, want)
	name := wanted["metadata"].(map[string]any)["name"]
	for _, s := range document.Parse("out", []byte(output)).Segments {
		if s.Document != nil && s.Document.Kind == wanted["kind"] && s.Document.Name == name {
			if diff := cmp.Diff(wanted, object(t, s.Text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Errorf("no route in\n%s", output)
}

func object(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// worldFiles writes a View out: the arguments that read it.
func worldFiles(t *testing.T, view *mesh.View) []string {
	t.Helper()
	config := mesh.DefaultConfig()
	config.Gateway, config.Defaults.Coverage, config.Defaults.Invoke = view.Config.Gateway, view.Config.Defaults.Coverage, view.Config.Defaults.Invoke
	if config.Defaults.Coverage == "" {
		config.Defaults.Coverage = mesh.ModeEnforce
	}
	if config.Defaults.Invoke == "" {
		config.Defaults.Invoke = mesh.InvokePrefix
	}
	var objects []any
	for name, labels := range view.Namespaces {
		objects = append(objects, &corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		})
	}
	for _, a := range view.Apps {
		objects = append(objects, appService(view, a))
	}
	for _, g := range view.Ingresses {
		objects = append(objects, &gatewayv1.Gateway{
			TypeMeta: metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "Gateway"},
			ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Gateway, Annotations: map[string]string{
				mesh.AnnotationEnabled: "true", mesh.AnnotationAppID: g.ID, mesh.AnnotationInvoke: string(g.Invoke),
			}},
		})
	}
	for _, s := range view.Services {
		if _, app := view.AppOfService(s.Name); !app {
			objects = append(objects, &corev1.Service{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: s.Name.Namespace, Name: s.Name.Name},
				Spec: corev1.ServiceSpec{Type: s.Type, Selector: s.Selector, Ports: s.Ports},
			})
		}
	}
	for i, g := range view.Grants {
		objects = append(objects, grant(i, g))
	}
	folder := t.TempDir()
	writeYAML(t, filepath.Join(folder, "config.yml"), config)
	writeYAML(t, filepath.Join(folder, "world.yaml"), map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	return []string{"--config", filepath.Join(folder, "config.yml"), "-f", filepath.Join(folder, "world.yaml")}
}

func appService(view *mesh.View, a mesh.App) *corev1.Service {
	annotations := map[string]string{mesh.AnnotationEnabled: "true", mesh.AnnotationAppID: a.ID}
	if a.Protocol != "" {
		annotations[mesh.AnnotationAppProtocol] = a.Protocol
	}
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Service, Annotations: annotations},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": a.Service}, Ports: []corev1.ServicePort{{Name: "http", Port: a.Port}}},
	}
	if known, ok := view.Service(mesh.Name{Namespace: a.Namespace, Name: a.Service}); ok && len(known.Ports) > 0 {
		for _, p := range known.Ports {
			if p.Port != a.Port {
				s.Spec.Ports = append(s.Spec.Ports, p)
			}
		}
	}
	return s
}

func grant(i int, g mesh.Grant) *gatewayv1beta1.ReferenceGrant {
	to := gatewayv1beta1.ReferenceGrantTo{Kind: "Service"}
	if g.Service != "" {
		to.Name = (*gatewayv1.ObjectName)(&g.Service)
	}
	return &gatewayv1beta1.ReferenceGrant{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1beta1.GroupVersion.String(), Kind: "ReferenceGrant"},
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: "grant-" + string(rune('a'+i))},
		Spec: gatewayv1beta1.ReferenceGrantSpec{
			From: []gatewayv1beta1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: gatewayv1.Kind(g.FromKind), Namespace: gatewayv1.Namespace(g.FromNamespace)}},
			To:   []gatewayv1beta1.ReferenceGrantTo{to},
		},
	}
}

func writeYAML(t *testing.T, path string, value any) {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, slices.Clone(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
