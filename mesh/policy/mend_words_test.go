// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// mending is a world that is being mended.
type mending struct {
	view *mesh.View
	// objects are the policies, by what nameOf calls them.
	objects map[string]string
}

func (m *mending) found(t *testing.T) []mesh.Finding {
	t.Helper()
	return found(m.view, setOf(t, docs(m.objects)...).InCilium(m.view.Cilium))
}

// edit changes the policy that a finding names: "CiliumNetworkPolicy default/open".
func (m *mending) edit(t *testing.T, named string, change func(object map[string]any)) {
	t.Helper()
	match := regexp.MustCompile(`(\w+Policy) \w+/(\S+)`).FindStringSubmatch(named)
	if match == nil {
		t.Fatalf("no policy is named: %s", named)
	}
	name := strings.ToLower(match[1]) + " " + match[2]
	var object map[string]any
	decode(t, m.objects[name], &object)
	change(object)
	data, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	m.objects[name] = string(data)
}

// told is a mend in words.
type told struct {
	code mesh.Code
	// text is the whole Fix; what it captures are the values to use.
	text string
	// do does that, one way for each value that may be used.
	do func(t *testing.T, m *mending, f mesh.Finding, values []string)
}

// mendsInWords are the mends that are no policy to apply, and what somebody does who follows them to the letter.
func mendsInWords() []told {
	const orWarn = ` or label the namespace daprise\.dev/coverage=warn\.`
	return []told{
		{mesh.CodePolicyVoid, `Correct that rule: one invalid rule voids the whole object\.`, func(t *testing.T, m *mending, f mesh.Finding, _ []string) {
			// The message names the rule and the kinds of peers of which it may have one.
			kinds := regexp.MustCompile(`ingress\[0\] combines (\w+) and (\w+)$`).FindStringSubmatch(f.Message)
			m.edit(t, f.Message, func(object map[string]any) { delete(ruleOf(object), kinds[2]) })
		}},
		{mesh.CodeSelectorTypo, `Write (\S+): (\S+) in its endpointSelector\.`, func(t *testing.T, m *mending, f mesh.Finding, values []string) {
			m.edit(t, f.Message, func(object map[string]any) {
				labels := object["spec"].(map[string]any)["endpointSelector"].(map[string]any)["matchLabels"].(map[string]any)
				labels[values[0]] = values[1]
			})
		}},
		{mesh.CodeNamedPort, `Write the number of the port, or one of the names dapr-http, dapr-grpc, (dapr-internal) and dapr-metrics\.`, writePort},
		{mesh.CodeNamedPort, `(Write the number of the port), or one of the names .*`, func(t *testing.T, m *mending, f mesh.Finding, _ []string) {
			writePort(t, m, f, []string{"50002"})
		}},
		{mesh.CodeZtunnel, `Take the label back \(kubectl label namespace (\S+) (\S+)-\): Dapr encrypts between companions by itself\.`,
			func(_ *testing.T, m *mending, _ mesh.Finding, values []string) {
				delete(m.view.Namespaces[values[0]], values[1])
			}},
		{mesh.CodeLabelHolder, `Delete the pod, or take the label from it \(kubectl label pod (\S+) -n (\S+) (\S+)-\), and from the template that it is made from\.`,
			func(_ *testing.T, m *mending, _ mesh.Finding, values []string) {
				for _, p := range m.view.Pods {
					if p.Name == values[0] && p.Namespace == values[1] {
						delete(p.Labels, values[2])
					}
				}
			}},
		{mesh.CodeLabelHolder, `Delete the pod, or take the label from it \(kubectl label pod (\S+) -n (\S+) .*`, func(_ *testing.T, m *mending, _ mesh.Finding, values []string) {
			m.view.Pods = slices.DeleteFunc(m.view.Pods, func(p mesh.PodSet) bool { return p.Name == values[0] && p.Namespace == values[1] })
		}},
		{mesh.CodeCiliumSetting, `Let daprise read ConfigMap cilium-config \(cilium\.namespace in its configuration\)` + orWarn,
			func(_ *testing.T, m *mending, _ mesh.Finding, _ []string) { m.view.Cilium.Version = "1.20.2" }},
		{mesh.CodeCiliumSetting, `Run Cilium (\S+) to \S+` + orWarn, runCilium},
		{mesh.CodeCiliumSetting, `Run Cilium \S+ to (\S+)` + orWarn, runCilium},
		{mesh.CodeCiliumSetting, `Take the setting back` + orWarn, func(_ *testing.T, m *mending, f mesh.Finding, _ []string) {
			m.view.Cilium.Unmodelled = slices.DeleteFunc(m.view.Cilium.Unmodelled, func(setting string) bool { return strings.Contains(f.Message, setting) })
		}},
	}
}

func writePort(t *testing.T, m *mending, f mesh.Finding, values []string) {
	name := regexp.MustCompile(`names port (\S+),`).FindStringSubmatch(f.Message)[1]
	m.edit(t, f.Message, func(object map[string]any) {
		for _, ports := range ruleOf(object)["toPorts"].([]any) {
			for _, p := range ports.(map[string]any)["ports"].([]any) {
				if p := p.(map[string]any); p["port"] == name {
					p["port"] = values[0]
				}
			}
		}
	})
}

func runCilium(_ *testing.T, m *mending, _ mesh.Finding, values []string) {
	m.view.Cilium.Version = values[0] + ".2"
}

// ruleOf is the one rule of a policy's ingress.
func ruleOf(object map[string]any) map[string]any {
	return object["spec"].(map[string]any)["ingress"].([]any)[0].(map[string]any)
}

// TestMendsInWordsMend does what findings tell in words, in each way that they leave the choice of, and finds nothing more. TestMendsMend applies
// the policies of the others.
func TestMendsInWordsMend(t *testing.T) {
	for _, test := range []struct {
		of   string
		code mesh.Code
		ways int
	}{
		{"a void policy", mesh.CodePolicyVoid, 1},
		{"a misspelt subject", mesh.CodeSelectorTypo, 1},
		{"a port that the companion has not", mesh.CodeNamedPort, 2},
		{"ztunnel", mesh.CodeZtunnel, 1},
		{"a pod carries the companion's label", mesh.CodeLabelHolder, 2},
		{"an unknown Cilium", mesh.CodeCiliumSetting, 1},
		{"a Cilium that is too old", mesh.CodeCiliumSetting, 2},
		{"a setting of Cilium", mesh.CodeCiliumSetting, 1},
	} {
		t.Run(test.of, func(t *testing.T) {
			ways := 0
			for _, way := range mendsInWords() {
				if way.code == test.code && way.mends(t, test.of) {
					ways++
				}
			}
			if ways != test.ways {
				t.Errorf("%d ways of mending are told, want %d", ways, test.ways)
			}
		})
	}
}

// mends says whether one of a case's findings tells the mend, and tries it.
func (way told) mends(t *testing.T, name string) bool {
	t.Helper()
	tt, known := cases()[name]
	if !known {
		t.Fatalf("no such case: %s", name)
	}
	m := &mending{view: world(), objects: map[string]string{}}
	for _, change := range []func(*mesh.View){tt.tweak, tt.pods} {
		if change != nil {
			change(m.view)
		}
	}
	for _, doc := range tt.policies {
		m.objects[nameOf(t, doc)] = doc
	}
	told := false
	for _, f := range m.found(t) {
		if f.Code != way.code {
			continue
		}
		if values := regexp.MustCompile(`^` + way.text + `$`).FindStringSubmatch(f.Fix); values != nil {
			told = true
			way.do(t, m, f, values[1:])
		}
	}
	if told {
		for _, f := range m.found(t) {
			t.Errorf("after %s: still %s %s", way.text, f.Code, f.Message)
		}
	}
	return told
}
