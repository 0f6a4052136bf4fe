// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// flat is a daprd container and its identity volume as paths and values, so that differences can be named: "args --app-port" → "80".
func flat(t *testing.T, spec corev1.PodSpec) map[string]string {
	t.Helper()
	i := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == "daprd" })
	v := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == "dapr-identity-token" })
	if i < 0 || v < 0 {
		t.Fatalf("containers %v, volumes %v", spec.Containers, spec.Volumes)
	}
	container := spec.Containers[i].DeepCopy()
	paths := map[string]string{}
	flags(t, container.Args, paths)
	for _, env := range container.Env {
		paths["env "+env.Name] = env.Value
		if env.ValueFrom != nil {
			paths["env "+env.Name] = env.ValueFrom.FieldRef.FieldPath
		}
	}
	for _, port := range container.Ports {
		paths["port "+port.Name] = fmt.Sprint(port.ContainerPort)
	}
	container.Args, container.Env, container.Ports = nil, nil, nil
	withDefaults(container)
	leaves(t, "", asJSON(t, container), paths)
	leaves(t, "volume", asJSON(t, spec.Volumes[v]), paths)
	return paths
}

// flags reads "--flag=value", "--flag value" and "--flag", the last as true, as pflag does.
func flags(t *testing.T, args []string, paths map[string]string) {
	t.Helper()
	if args[0] != "/daprd" {
		t.Errorf("program %q", args[0])
	}
	rest := args[1:]
	for len(rest) > 0 {
		flag, value, inOne := strings.Cut(rest[0], "=")
		rest = rest[1:]
		switch {
		case inOne:
		case len(rest) > 0 && !strings.HasPrefix(rest[0], "--"):
			value, rest = rest[0], rest[1:]
		default:
			value = "true"
		}
		if _, twice := paths["args "+flag]; twice {
			t.Errorf("%s twice", flag)
		}
		paths["args "+flag] = value
	}
}

// withDefaults writes out what the API server would: the injector leaves these to it, companions do not.
func withDefaults(c *corev1.Container) {
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
		probe.SuccessThreshold = 1
		if probe.HTTPGet != nil {
			probe.HTTPGet.Scheme = corev1.URISchemeHTTP
		}
	}
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var content any
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	return content
}

func leaves(t *testing.T, path string, value any, paths map[string]string) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			leaves(t, strings.TrimPrefix(path+"."+key, "."), below, paths)
		}
	case []any:
		for i, below := range v {
			leaves(t, fmt.Sprintf("%s[%d]", path, i), below, paths)
		}
	default:
		paths[path] = fmt.Sprint(v)
	}
}
