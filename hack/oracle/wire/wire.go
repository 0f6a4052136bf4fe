// SPDX-License-Identifier: Apache-2.0

// Package wire is what hack/oracle says to the policy engine of an older Cilium, and what that answers. Two versions of Cilium cannot be
// linked into one program, so that each older one is a program of its own (hack/oracle/cilium1NN), asked through its standard input.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Request is either a set of policies, which replaces the one before, or a flow to judge by it.
type Request struct {
	Objects []Object `json:"objects,omitempty"`
	Flow    *Flow    `json:"flow,omitempty"`
}

// Kinds of objects.
const (
	KindCNP       = "CiliumNetworkPolicy"
	KindCCNP      = "CiliumClusterwideNetworkPolicy"
	KindKNP       = "NetworkPolicy"
	KindCIDRGroup = "CiliumCIDRGroup"
)

// Object is one object as an API server stores it. An engine leaves out the fields that its version does not know, as the schema of that
// version does.
type Object struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Flow is one connection. Ports are the named TCP ports of its destination.
type Flow struct {
	From     Endpoint          `json:"from"`
	To       Endpoint          `json:"to"`
	Port     uint16            `json:"port"`
	Protocol string            `json:"protocol"`
	Ports    map[string]uint16 `json:"ports,omitempty"`
}

// Endpoint is an entity, an address outside the cluster, an API server at one (Entity and Address), or a pod by the labels that Cilium
// knows it by, all from Kubernetes. Remote says that the pod is of another cluster.
type Endpoint struct {
	Entity  string            `json:"entity,omitempty"`
	Address netip.Addr        `json:"address,omitzero"`
	Labels  map[string]string `json:"labels,omitempty"`
	Remote  bool              `json:"remote,omitempty"`
}

// Key tells endpoints apart.
func (e Endpoint) Key() string { return fmt.Sprint(e.Entity, e.Address, e.Labels, e.Remote) }

// Group is what an engine reads of a CiliumCIDRGroup, whose API version is not the same in all.
type Group struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		ExternalCIDRs []netip.Prefix `json:"externalCIDRs"`
	} `json:"spec"`
}

// Holds says whether an address is in the group.
func (g Group) Holds(a netip.Addr) bool {
	for _, p := range g.Spec.ExternalCIDRs {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Answer is the answer to a Request: to a set the error for each object that this Cilium does not accept, by place; to a flow whether it
// passes at either end, why this Cilium cannot compute that, or with what it crashed over the set: an agent would have ended.
type Answer struct {
	Refused map[int]string `json:"refused,omitempty"`
	Ingress bool           `json:"ingress,omitempty"`
	Egress  bool           `json:"egress,omitempty"`
	Error   string         `json:"error,omitempty"`
	Crash   string         `json:"crash,omitempty"`
}

// Engine judges flows by one set of policies.
type Engine interface {
	Judge(f Flow) (ingress, egress bool, err error)
}

// Serve answers requests, one JSON value after another, until there are no more. start makes an engine for a set and returns the error for
// each object that it does not accept, by place.
func Serve(in io.Reader, out io.Writer, start func([]Object) (Engine, map[int]string)) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	var engine Engine
	for {
		var r Request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		var a Answer
		if r.Flow == nil {
			engine, a = started(r.Objects, start)
		} else {
			a = judged(engine, *r.Flow)
		}
		if a.Crash != "" {
			// It may have left its locks held.
			engine = crashed(a.Crash)
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

func started(objects []Object, start func([]Object) (Engine, map[int]string)) (engine Engine, a Answer) {
	defer func() {
		if reason := recover(); reason != nil {
			a = Answer{Crash: fmt.Sprint(reason)}
		}
	}()
	engine, a.Refused = start(objects)
	return engine, a
}

// crashed is what is left of an engine that did.
type crashed string

func (c crashed) Judge(Flow) (ingress, egress bool, err error) { panic(string(c)) }

func judged(engine Engine, f Flow) (a Answer) {
	if engine == nil {
		return Answer{Error: "a flow before any set of policies"}
	}
	defer func() {
		if reason := recover(); reason != nil {
			a = Answer{Crash: fmt.Sprint(reason)}
		}
	}()
	var err error
	if a.Ingress, a.Egress, err = engine.Judge(f); err != nil {
		a.Error = err.Error()
	}
	return a
}
