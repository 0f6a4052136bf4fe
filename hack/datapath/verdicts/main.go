// SPDX-License-Identifier: Apache-2.0

// Command verdicts answers with Cilium's own policy engine who may reach whom.
// It reads JSON documents of type Question from standard input, and writes one
// Answer for each to standard output. The suite of the data path makes nftables
// rules of the answers, so that policies are in force as in a cluster with
// Cilium, and nothing of mesh/policy has a part in it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	slim_corev1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/core/v1"
)

// Question is a state of the cluster.
type Question struct {
	// Policies are objects as stored: CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy, NetworkPolicy.
	Policies  []json.RawMessage `json:"policies"`
	Endpoints []Endpoint        `json:"endpoints"`
	// Flows are those to judge.
	Flows []Flow `json:"flows"`
}

// Endpoint is an entity of Cilium's, or a Pod with its Namespace, as stored.
type Endpoint struct {
	Entity    string                 `json:"entity,omitempty"`
	Pod       *slim_corev1.Pod       `json:"pod,omitempty"`
	Namespace *slim_corev1.Namespace `json:"namespace,omitempty"`
}

// Flow is one between endpoints of the Question, by their places.
type Flow struct {
	From     int    `json:"from"`
	To       int    `json:"to"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
}

// Answer has a verdict for each flow, in order: is it let through in both
// directions of enforcement.
type Answer struct {
	Allowed []bool `json:"allowed"`
	// Refused are the errors of policies that Cilium does not accept, by place.
	Refused map[int]string `json:"refused,omitempty"`
	// Error says why there is no answer.
	Error string `json:"error,omitempty"`
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q Question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fatal(err)
		}
		if err := out.Encode(answer(q)); err != nil {
			fatal(err)
		}
	}
}

func fatal(err error) {
	slog.Error("verdicts", "error", err)
	os.Exit(1)
}

func answer(q Question) Answer {
	e, err := newEngine()
	if err != nil {
		return Answer{Error: err.Error()}
	}
	a := Answer{Refused: e.add(q.Policies), Allowed: make([]bool, len(q.Flows))}
	for i, flow := range q.Flows {
		if max(flow.From, flow.To) >= len(q.Endpoints) || min(flow.From, flow.To) < 0 {
			return Answer{Error: fmt.Sprintf("flow %d: no such endpoint", i)}
		}
		allowed, err := e.verdict(flow, q.Endpoints)
		if err != nil {
			return Answer{Error: fmt.Sprintf("flow %d: %v", i, err)}
		}
		a.Allowed[i] = allowed
	}
	return a
}
