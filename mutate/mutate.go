// SPDX-License-Identifier: Apache-2.0

// Package mutate decides what admission changes on an object: the enrolment label, and a route's way through the companions. It is pure.
package mutate

import (
	"gomodules.xyz/jsonpatch/v2"

	"github.com/daprise/daprise/mesh"
)

// Result is what one mutation decides.
type Result struct {
	// Patch leads from the object as received to the object as admitted; empty if nothing changes.
	Patch []jsonpatch.Operation
	// Findings deny (then Patch is empty) or warn.
	Findings []mesh.Finding
}

// Request is one object to mutate, as the API server sent it.
type Request struct {
	// Kind is Service, Deployment, Gateway, HTTPRoute or GRPCRoute.
	Kind string
	// Object is the new object's JSON; OldObject is empty for CREATE. Both are valid JSON: what a decision does not need is not parsed.
	Object    []byte
	OldObject []byte
}
