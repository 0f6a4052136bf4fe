// SPDX-License-Identifier: Apache-2.0

//go:build helm

package operations_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// byName are objects by kind, namespace and name, without the labels that only Helm's objects have.
func byName(objects []*unstructured.Unstructured) map[string]any {
	all := map[string]any{}
	for _, object := range objects {
		o := object.DeepCopy()
		labels := o.GetLabels()
		for _, key := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart"} {
			delete(labels, key)
		}
		o.SetLabels(labels)
		if o.GetKind() == "ValidatingAdmissionPolicy" || o.GetKind() == "ValidatingAdmissionPolicyBinding" {
			// Those of deploy/base carry none.
			unstructured.RemoveNestedField(o.Object, "metadata", "labels")
		}
		all[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.Object
	}
	return all
}

// TestChartSaysTheSame: with default values the chart is deploy/base, and with cert-manager it is that overlay. The namespace is made by
// `helm install --create-namespace`.
func TestChartSaysTheSame(t *testing.T) {
	tests := []struct {
		name, folder string
		components   []string
		args         []string
	}{
		{name: "default", folder: "base"},
		{name: "self-signed", folder: "overlays/self-signed", args: []string{"--set", "certificates.mode=self"}},
		{name: "cert-manager", folder: "overlays/cert-manager", args: []string{"--set", "certificates.mode=cert-manager"}},
		{name: "dev", folder: "overlays/dev", args: []string{
			"--set", "replicas=1,logLevel=DEBUG,lameDuck=1s,linger=0s,proof.interval=10s,image.repository=daprise-webhook,image.tag=dev",
		}},
		{name: "syntax policy", folder: "base", components: []string{"components/syntax"}, args: []string{"--set", "syntaxPolicy.enabled=true"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := byName(append(kustomized(t, tt.folder), componentsOf(t, tt.components)...))
			delete(want, "Namespace /daprise-system")
			if diff := cmp.Diff(want, byName(template(t, tt.args...))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// componentsOf are the objects that components add.
func componentsOf(t *testing.T, folders []string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, folder := range folders {
		// A component is built as a part of something.
		dir := t.TempDir()
		relative, err := filepath.Rel(dir, filepath.Join(root, "deploy", folder))
		if err != nil {
			t.Fatal(err)
		}
		file := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\ncomponents: [" + relative + "]\n"
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, built(t, dir)...)
	}
	return all
}

// everything switches on what is off.
func everything() []string {
	return []string{
		"--set", "networkPolicy.enabled=true", "--set", "monitoring.serviceMonitor.enabled=true", "--set", "monitoring.prometheusRule.enabled=true",
		"--set", "monitoring.dashboard.enabled=true", "--set", "rbac.aggregateToEdit=true", "--set", "syntaxPolicy.enabled=true",
	}
}

func TestValuesChangeWhatTheyName(t *testing.T) {
	tests := []struct {
		name       string
		args       []string
		kind, what string
		path       []string
		want       any
	}{
		{"image by tag", []string{"--set", "image.tag=v9"}, "Deployment", "daprise-webhook", []string{"spec", "template", "spec", "containers", "0", "image"}, "ghcr.io/daprise/daprise-webhook:v9"},
		{
			"image by digest", []string{"--set", "image.digest=sha256:" + strings.Repeat("a", 64)}, "Deployment", "daprise-webhook",
			[]string{"spec", "template", "spec", "containers", "0", "image"}, "ghcr.io/daprise/daprise-webhook@sha256:" + strings.Repeat("a", 64),
		},
		{"replicas", []string{"--set", "replicas=3"}, "Deployment", "daprise-webhook", []string{"spec", "replicas"}, float64(3)},
		{"minAvailable", []string{"--set", "podDisruptionBudget.minAvailable=2"}, "PodDisruptionBudget", "daprise-webhook", []string{"spec", "minAvailable"}, float64(2)},
		{"log level", []string{"--set", "logLevel=DEBUG"}, "Deployment", "daprise-webhook", []string{"spec", "template", "spec", "containers", "0", "args", "1"}, "--log-level=DEBUG"},
		{
			"exempt namespaces", []string{"--set", "config.exemptNamespaces={a,kube-system}"}, "ValidatingWebhookConfiguration", "daprise-webhook",
			[]string{"webhooks", "0", "namespaceSelector", "matchExpressions", "0", "values"}, []any{"a", "daprise-system", "kube-system"},
		},
		{
			"images of companions, for the API server too", []string{"--set", "config.dapr.images={r.example/daprd:1.18.2,r.example/daprd:1.18.1}"}, "ConfigMap", "daprise-config",
			[]string{"data", "images"}, "r.example/daprd:1.18.2\nr.example/daprd:1.18.1",
		},
		{
			"trust domain, for the API server too", []string{"--set", "config.dapr.trustDomain=td.example"}, "ConfigMap", "daprise-config",
			[]string{"data", "audience"}, "spiffe://td.example/ns/dapr-system/dapr-sentry",
		},
		{"Cilium's namespace", []string{"--set", "config.cilium.namespace=cilium"}, "Role", "daprise-cilium-config", []string{"metadata", "namespace"}, "cilium"},
		{"people", []string{"--set", "rbac.aggregateToEdit=true"}, "ClusterRole", "daprise-enrol", []string{"metadata", "labels", "rbac.authorization.k8s.io/aggregate-to-edit"}, "true"},
		{
			"an issuer of theirs", []string{"--set", "certificates.mode=cert-manager,certificates.issuerRef.name=corp,certificates.issuerRef.kind=ClusterIssuer"}, "Certificate", "daprise-webhook-serving",
			[]string{"spec", "issuerRef"}, map[string]any{"name": "corp", "kind": "ClusterIssuer"},
		},
		{
			"the proof's namespace and interval", []string{"--set", "proof.namespace=teams,proof.interval=5m"}, "Deployment", "daprise-webhook",
			[]string{"spec", "template", "spec", "containers", "0", "args"}, []any{"--config=/etc/daprise/config.yaml", "--proof-namespace=teams", "--proof-interval=5m"},
		},
		{
			"no proof", []string{"--set", "proof.interval=0s"}, "Deployment", "daprise-webhook",
			[]string{"spec", "template", "spec", "containers", "0", "args", "1"}, "--proof-interval=0s",
		},
		{
			"exempt namespaces, for the syntax policy too", []string{"--set", "syntaxPolicy.enabled=true,config.exemptNamespaces={a,kube-system}"}, "ValidatingAdmissionPolicy", "daprise-syntax",
			[]string{"spec", "matchConstraints", "namespaceSelector", "matchExpressions", "0", "values"}, []any{"a", "daprise-system", "kube-system"},
		},
		{"node selector", []string{"--set", "nodeSelector.pool=system"}, "Deployment", "daprise-webhook", []string{"spec", "template", "spec", "nodeSelector", "pool"}, "system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := find(template(t, tt.args...), tt.kind, tt.what)
			if object == nil {
				t.Fatalf("no %s %s", tt.kind, tt.what)
			}
			if diff := cmp.Diff(tt.want, at(t, object.Object, tt.path)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// at follows a path through maps and lists.
func at(t *testing.T, value any, path []string) any {
	t.Helper()
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i := int(step[0] - '0')
			if i >= len(v) {
				t.Fatalf("no index %d in %v", i, v)
			}
			value = v[i]
		default:
			t.Fatalf("no %s in %v", step, value)
		}
	}
	return value
}

func TestNoSyntaxPolicyUnasked(t *testing.T) {
	if find(template(t), "ValidatingAdmissionPolicy", "daprise-syntax") != nil {
		t.Error("the optional policy is there by default")
	}
}

func TestOneReplicaHasNoBudget(t *testing.T) {
	if find(template(t, "--set", "replicas=1"), "PodDisruptionBudget", "daprise-webhook") != nil {
		t.Error("a budget of one in one would block every drain for ever")
	}
}

// TestPodsRollWithTheConfig: the file is read at start.
func TestPodsRollWithTheConfig(t *testing.T) {
	hash := []string{"spec", "template", "metadata", "annotations", "daprise.dev/config-hash"}
	before := at(t, find(template(t), "Deployment", "daprise-webhook").Object, hash)
	after := at(t, find(template(t, "--set", "config.defaults.coverage=warn"), "Deployment", "daprise-webhook").Object, hash)
	if before == after || after == nil {
		t.Errorf("hash %v, then %v", before, after)
	}
}

func TestConfigOfValuesIsStrictlyParsed(t *testing.T) {
	object := find(template(t, "--set", "config.defaults.policies=generate,config.companion.priorityClassName=high"), "ConfigMap", "daprise-config")
	config, err := mesh.ParseConfig([]byte(at(t, object.Object, []string{"data", "config.yaml"}).(string)))
	if err != nil {
		t.Fatal(err)
	}
	if config.Defaults.Policies != mesh.PoliciesGenerate || config.Companion.PriorityClassName != "high" {
		t.Errorf("got %+v", config)
	}
}

// TestOlderKubernetesIsRefused: the chart says itself what it cannot be installed on.
func TestOlderKubernetesIsRefused(t *testing.T) {
	for _, e := range engines() {
		if _, err := e.rendered(t, system, "--kube-version", "v1.30.9"); err == nil || !strings.Contains(err.Error(), "chart requires kubeVersion: >=1.31.0-0") {
			t.Errorf("Helm %s: %v", e.version, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for name, set := range map[string]string{
		"an unknown value":       "replica=3",
		"an unknown config key":  "config.default.coverage=warn",
		"no replica":             "replicas=0",
		"a mode that is none":    "config.defaults.coverage=off",
		"latest":                 "image.tag=latest",
		"a digest that is none":  "image.digest=sha256:1",
		"a lame duck too long":   "lameDuck=50s",
		"lingering too long":     "linger=100s",
		"another certificate":    "certificates.mode=none",
		"a scraper of all pods":  "networkPolicy.scrapers[0].namespace=a",
		"no images":              "config.dapr.images=null",
		"a proof without a unit": "proof.interval=60",
		"a proof of nowhere":     "proof.namespace=",
		"a policy half on":       "syntaxPolicy.enabled=maybe",
		"an address and no CIDR": "networkPolicy.apiServer.cidrs={10.0.0.1}",
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range engines() {
				if text, err := e.rendered(t, system, "--set", set); err == nil {
					t.Errorf("Helm %s accepts --set %s:\n%s", e.version, set, text)
				}
			}
		})
	}
	for _, e := range engines() {
		if _, err := e.rendered(t, "default"); err == nil || !strings.Contains(err.Error(), "daprise-system") {
			t.Errorf("Helm %s, another namespace: %v", e.version, err)
		}
	}
}

// TestSchemaKnowsTheConfigFile: every field of the config file is in the schema, and nothing else is.
func TestSchemaKnowsTheConfigFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(chart(), "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct{ Config node } `json:"properties"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	full := mesh.DefaultConfig()
	full.Companion = mesh.CompanionConfig{
		NodeSelector: map[string]string{"a": "b"}, Tolerations: []corev1.Toleration{{}}, Affinity: &corev1.Affinity{}, PriorityClassName: "a",
		ImagePullSecrets: []corev1.LocalObjectReference{{}}, Env: []string{"A"},
	}
	full.Scrapers = []mesh.Scraper{{}}
	file, err := yaml.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(file, &config); err != nil {
		t.Fatal(err)
	}
	want, got := []string{}, []string{}
	for key, value := range config {
		want = append(want, key)
		inner, _ := value.(map[string]any)
		for name := range inner {
			want = append(want, key+"."+name)
		}
	}
	for key, inner := range schema.Properties.Config.Properties {
		got = append(got, key)
		for name := range inner.Properties {
			got = append(got, key+"."+name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

type node struct {
	Properties map[string]*node `json:"properties"`
}

// TestNoHooks: an install or uninstall that fails must not leave a Job behind that stops the next one.
func TestNoHooks(t *testing.T) {
	for _, object := range template(t, everything()...) {
		for key := range object.GetAnnotations() {
			if strings.HasPrefix(key, "helm.sh/hook") {
				t.Errorf("%s %s is a hook", object.GetKind(), object.GetName())
			}
		}
		if slices.Contains([]string{"Job", "CronJob", "Pod", "Namespace", "Secret"}, object.GetKind()) {
			t.Errorf("the chart makes a %s", object.GetKind())
		}
	}
}
