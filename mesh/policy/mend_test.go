// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestWithoutPods: where no pod is known, its Service's selector stands for the pods, and daprise warns of what they would lack.
func TestWithoutPods(t *testing.T) {
	view := world(whoamiPods)
	view.Pods = nil
	view.Services[0].Ports[0].TargetPort = intstr.FromInt32(8080)
	findings := policy.App(view, setOf(t, allowIngressToWhoami, closedApp), view.Apps[0])
	want := []string{`Service default/whoami admitted with a warning: companion "whoami" (default) may not reach the pods of Service "whoami" (default) on 8080/TCP: NetworkPolicy default/closed enables default deny at their ingress and no rule allows it. Apply the policy below. [DPR102]`}
	if diff := cmp.Diff(want, texts(findings)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func found(view *mesh.View, set *policy.Set) []mesh.Finding {
	return slices.Concat(policy.App(view, set, view.Apps[0]), policy.Ingress(view, set, view.Ingresses[0]))
}

func TestFindings(t *testing.T) {
	for name, tt := range cases() {
		t.Run(name, func(t *testing.T) {
			view := world()
			for _, change := range []func(*mesh.View){tt.tweak, tt.pods} {
				if change != nil {
					change(view)
				}
			}
			var got []string
			for _, f := range found(view, setOf(t, tt.policies...)) {
				got = append(got, string(f.Code)+" "+f.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestMendsMend applies what each finding tells to apply, as a user would, until nothing is found.
func TestMendsMend(t *testing.T) {
	for name, tt := range cases() {
		if tt.tweak != nil {
			// Its mend is not a policy.
			continue
		}
		t.Run(name, func(t *testing.T) {
			view, objects := world(), map[string]string{}
			if tt.pods != nil {
				tt.pods(view)
			}
			for _, doc := range tt.policies {
				objects[nameOf(t, doc)] = doc
			}
			for range 4 {
				findings := found(view, setOf(t, docs(objects)...))
				if !mesh.Denied(findings) {
					return
				}
				for _, f := range findings {
					apply(t, objects, f)
				}
			}
			t.Errorf("still found: %v\nwith %s", texts(found(view, setOf(t, docs(objects)...))), strings.Join(docs(objects), "---"))
		})
	}
}

func docs(objects map[string]string) []string {
	var list []string
	for _, doc := range objects {
		list = append(list, doc)
	}
	return list
}

func nameOf(t *testing.T, doc string) string {
	var head struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
	}
	decode(t, doc, &head)
	return strings.ToLower(head.Kind) + " " + head.Metadata.Name
}

// apply patches the rule that the mend names and applies its manifest.
func apply(t *testing.T, objects map[string]string, f mesh.Finding) {
	t.Helper()
	command := regexp.MustCompile(`kubectl patch (\S+ \S+) .*"path":"/([^"]+)","value":{}`)
	if m := command.FindStringSubmatch(f.Fix); m != nil {
		var object any
		decode(t, objects[m[1]], &object)
		empty(object, strings.Split(m[2], "/"))
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		objects[m[1]] = string(data)
	}
	if f.Manifest != "" {
		objects[nameOf(t, f.Manifest)] = f.Manifest
	}
}

// empty replaces what is at the path with {}.
func empty(object any, path []string) {
	if len(path) == 1 {
		index, _ := strconv.Atoi(path[0])
		object.([]any)[index] = map[string]any{}
		return
	}
	switch o := object.(type) {
	case map[string]any:
		empty(o[path[0]], path[1:])
	case []any:
		index, _ := strconv.Atoi(path[0])
		empty(o[index], path[1:])
	}
}

// TestCoverageModifiesNothing holds App and Ingress to their word.
func TestCoverageModifiesNothing(t *testing.T) {
	for name, tt := range cases() {
		t.Run(name, func(t *testing.T) {
			view := world()
			before, _ := json.Marshal(view)
			found(view, setOf(t, tt.policies...))
			after, _ := json.Marshal(view)
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}
