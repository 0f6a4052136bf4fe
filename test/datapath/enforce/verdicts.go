// SPDX-License-Identifier: Apache-2.0

//go:build linux

package enforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os/exec"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// verdicts is a running hack/datapath/verdicts, and what it has answered for the
// present policies.
type verdicts struct {
	in       *json.Encoder
	out      *json.Decoder
	policies string
	known    map[flow]bool
}

// flow is one between identities; ports that no policy and no container names
// are all alike.
type flow struct {
	from, to string
	port     uint16
	protocol corev1.Protocol
}

func entity(name string) map[string]any { return map[string]any{"entity": name} }

// podEndpoint leaves out what is no part of an identity, above all the name.
func podEndpoint(pod *corev1.Pod, namespaceLabels map[string]string) map[string]any {
	labels := maps.Clone(pod.Labels)
	// Cilium's own filter drops these; here they would only make more groups.
	for _, key := range []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation"} {
		delete(labels, key)
	}
	var containers []map[string]any
	for _, c := range pod.Spec.Containers {
		containers = append(containers, map[string]any{"name": c.Name, "ports": c.Ports})
	}
	return map[string]any{
		"pod": map[string]any{
			"metadata": map[string]any{"name": "x", "namespace": pod.Namespace, "labels": labels},
			"spec":     map[string]any{"serviceAccountName": pod.Spec.ServiceAccountName, "containers": containers},
		},
		"namespace": map[string]any{"metadata": map[string]any{"name": pod.Namespace, "labels": namespaceLabels}},
	}
}

func startVerdicts(ctx context.Context, program string, log io.Writer) (*verdicts, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return &verdicts{in: json.NewEncoder(in), out: json.NewDecoder(out), known: map[flow]bool{}}, nil
}

// judge answers for flows, asking the engine for those that it was not asked
// for with these policies.
func (v *verdicts) judge(policies []json.RawMessage, flows []flow) (map[flow]bool, error) {
	encoded, err := json.Marshal(policies)
	if err != nil {
		return nil, err
	}
	if string(encoded) != v.policies {
		v.policies, v.known = string(encoded), map[flow]bool{}
	}
	var missing []flow
	for _, f := range flows {
		if _, ok := v.known[f]; !ok {
			missing = append(missing, f)
		}
	}
	if len(missing) == 0 {
		return v.known, nil
	}
	return v.known, v.ask(policies, missing)
}

func (v *verdicts) ask(policies []json.RawMessage, flows []flow) error {
	type askedFlow struct {
		From     int             `json:"from"`
		To       int             `json:"to"`
		Port     uint16          `json:"port"`
		Protocol corev1.Protocol `json:"protocol"`
	}
	var endpoints []json.RawMessage
	places := map[string]int{}
	place := func(key string) int {
		n, ok := places[key]
		if !ok {
			n = len(endpoints)
			places[key] = n
			endpoints = append(endpoints, json.RawMessage(key))
		}
		return n
	}
	var asked []askedFlow
	for _, f := range flows {
		asked = append(asked, askedFlow{From: place(f.from), To: place(f.to), Port: f.port, Protocol: f.protocol})
	}
	if err := v.in.Encode(map[string]any{"policies": policies, "endpoints": endpoints, "flows": asked}); err != nil {
		return fmt.Errorf("ask for verdicts: %w", err)
	}
	var answer struct {
		Allowed []bool         `json:"allowed"`
		Refused map[int]string `json:"refused"`
		Error   string         `json:"error"`
	}
	if err := v.out.Decode(&answer); err != nil {
		return fmt.Errorf("read verdicts: %w", err)
	}
	if answer.Error != "" {
		return errors.New("verdicts: " + answer.Error)
	}
	if len(answer.Allowed) != len(flows) {
		return fmt.Errorf("%d verdicts for %d flows", len(answer.Allowed), len(flows))
	}
	for i, f := range flows {
		v.known[f] = answer.Allowed[i]
	}
	return nil
}

func mapKeys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// sortedPorts are those of a and b, each once.
func sortedPorts(a, b []uint16) []uint16 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
