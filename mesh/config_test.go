// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/daprise/daprise/mesh"
)

const configHead = "apiVersion: config.daprise.dev/v1alpha1\nkind: DapriseConfiguration\n"

func TestParseConfig(t *testing.T) {
	for _, test := range []struct {
		name, text string
		tweak      func(*mesh.Config)
	}{
		{name: "nothing said is the default", tweak: func(*mesh.Config) {}},
		{name: "documents of comments do not count", text: "---\n# nothing\n", tweak: func(*mesh.Config) {}},
		{name: "null is the default", text: "dapr: null\ndefaults: {replicas: null}\n", tweak: func(*mesh.Config) {}},
		{name: "one value of a group", text: "defaults: {replicas: 3}\n", tweak: func(c *mesh.Config) { c.Defaults.Replicas = 3 }},
		{name: "modes", text: "defaults: {coverage: strict, policies: generate, invoke: header}\n", tweak: func(c *mesh.Config) {
			c.Defaults.Coverage, c.Defaults.Policies, c.Defaults.Invoke = mesh.ModeStrict, mesh.PoliciesGenerate, mesh.InvokeHeader
		}},
		{
			name: "a list replaces its default", text: "dapr: {images: ['example.com:5000/daprd:1.18.2-patched', 'daprd@sha256:" + strings.Repeat("0", 64) + "']}\nexemptNamespaces: [platform]\n",
			tweak: func(c *mesh.Config) {
				c.Dapr.Images = []string{"example.com:5000/daprd:1.18.2-patched", "daprd@sha256:" + strings.Repeat("0", 64)}
				c.ExemptNamespaces = []string{"platform"}
			},
		},
		{
			name: "quantities are merged by name", text: "companion: {resources: {requests: {cpu: 1}}}\n",
			tweak: func(c *mesh.Config) { c.Companion.Resources.Requests[corev1.ResourceCPU] = resource.MustParse("1") },
		},
		{
			name: "null takes limits away", text: "companion: {resources: {limits: null}}\n",
			tweak: func(c *mesh.Config) { c.Companion.Resources.Limits = nil },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := mesh.DefaultConfig()
			test.tweak(&want)
			got, err := mesh.ParseConfig([]byte(configHead + test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "read config: the file must hold exactly one YAML document"},
		{"two documents", configHead + "---\n" + configHead, "read config: the file must hold exactly one YAML document"},
		{"no head", "dapr: {}\n", `check config: [apiVersion: Unsupported value: "": supported values: "config.daprise.dev/v1alpha1", kind: Unsupported value: "": supported values: "DapriseConfiguration"]`},
		{"another version", strings.Replace(configHead, "v1alpha1", "v9", 1), `check config: apiVersion: Unsupported value: "config.daprise.dev/v9": supported values: "config.daprise.dev/v1alpha1"`},
		{"unknown field", configHead + "dapr: {verzion: 1.18.2}\n", `read config: unknown field "dapr.verzion"`},
		{"another case", configHead + "Dapr: {}\n", `read config: unknown field "Dapr"`},
		{"doubled field", configHead + "dapr: {version: 1.18.2, version: 1.18.3}\n", "read config: yaml: unmarshal errors:\n  line 3: key \"version\" already set in map"},
		{"wrong type", configHead + "defaults: {replicas: two}\n", "read config: json: cannot unmarshal string into Go struct field DefaultsConfig.defaults.replicas of type int32"},
		{"coverage", configHead + "defaults: {coverage: lax}\n", `check config: defaults.coverage: Invalid value: "lax": not one of audit, warn, enforce, strict`},
		{"policies", configHead + "defaults: {policies: auto}\n", `check config: defaults.policies: Invalid value: "auto": not one of manual, generate`},
		{"invoke", configHead + "defaults: {invoke: path}\n", `check config: defaults.invoke: Invalid value: "path": not one of prefix, header`},
		{"no replicas", configHead + "defaults: {replicas: 0}\n", "check config: defaults.replicas: Invalid value: 0: not from 1 to 100"},
		{"too many replicas", configHead + "defaults: {replicas: 101}\n", "check config: defaults.replicas: Invalid value: 101: not from 1 to 100"},
		{"version", configHead + "dapr: {version: '1.18'}\n", `check config: dapr.version: Invalid value: "1.18": not a version like 1.18.2`},
		{"no images", configHead + "dapr: {images: []}\n", "check config: dapr.images: Required value: name at least one image; the first is the default"},
		{"an image without tag", configHead + "dapr: {images: [daprd]}\n", `check config: dapr.images[0]: Invalid value: "daprd": not an image reference with a tag or a digest, like ghcr.io/dapr/daprd:1.18.2`},
		{"an image twice", configHead + "dapr: {images: ['a:1', 'a:1']}\n", `check config: dapr.images[1]: Duplicate value: "a:1"`},
		{"encryption", configHead + "dapr: {encryption: none}\n", `check config: dapr.encryption: Invalid value: "none": not one of dapr, cilium`},
		{"gateway", configHead + "gateway: {implementation: nginx}\n", `check config: gateway.implementation: Invalid value: "nginx": not one of cilium, traefik`},
		{"quantity", configHead + "companion: {resources: {limits: {memory: lots}}}\n", `read config: companion.resources.limits[memory]: Invalid value: "lots": not a quantity like 250m or 64Mi`},
		{"resource", configHead + "companion: {resources: {limits: {gpu: 1}}}\n", `check config: companion.resources.limits[gpu]: Invalid value: "gpu": not one of cpu, memory, ephemeral-storage`},
		{"request over limit", configHead + "companion: {resources: {requests: {memory: 1Gi}}}\n", `check config: companion.resources.requests[memory]: Invalid value: "1Gi": more than its limit, 256Mi`},
		{"zero", configHead + "companion: {resources: {requests: {cpu: 0}}}\n", `check config: companion.resources.requests[cpu]: Invalid value: "0": not more than zero`},
		{"toleration", configHead + "companion: {tolerations: [{operator: Exists, value: x}]}\n", `check config: companion.tolerations[0].value: Invalid value: "x": operator Exists takes no value`},
		{"node affinity", configHead + "companion: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In}]}]}}}}\n", `check config: companion.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Invalid value: "": not the values that the operator takes`},
		{"pod affinity", configHead + "companion: {affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: a/b}}]}}}\n", "check config: companion.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: not from 1 to 100"},
		{"our environment", configHead + "companion: {env: [DAPR_TRUST_ANCHORS]}\n", "check config: companion.env[0]: Forbidden: DAPR_TRUST_ANCHORS is set by daprise"},
		{"everybody scrapes", configHead + "scrapers: [{}]\n", `check config: scrapers[0]: Invalid value: "": names every pod of the cluster; set namespaceSelector or podSelector`},
		{"exempt twice", configHead + "exemptNamespaces: [a, a]\n", `check config: exemptNamespaces[1]: Duplicate value: "a"`},
		{"everything at once", configHead + "defaults: {replicas: 0, invoke: x}\n", `check config: [defaults.invoke: Invalid value: "x": not one of prefix, header, defaults.replicas: Invalid value: 0: not from 1 to 100]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := mesh.ParseConfig([]byte(test.text))
			if err == nil {
				t.Fatal("parsed")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDefaultConfig: the default is one that ParseConfig would accept as written.
func TestDefaultConfig(t *testing.T) {
	if _, err := mesh.ParseConfig([]byte(configHead)); err != nil {
		t.Error(err)
	}
	a, b := mesh.DefaultConfig(), mesh.DefaultConfig()
	a.Dapr.Images[0], a.ExemptNamespaces[0] = "x", "x"
	a.Companion.Resources.Limits[corev1.ResourceMemory] = resource.MustParse("1")
	if diff := cmp.Diff(mesh.DefaultConfig(), b); diff != "" {
		t.Errorf("two defaults share memory (-want +got):\n%s", diff)
	}
}
