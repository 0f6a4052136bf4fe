// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"io"
)

// Options of a control plane. The zero value is what most tests want.
type Options struct {
	// CRDs to install at start. Nil stands for DefaultCRDs; an empty slice for
	// none: InstallCRDs adds them later.
	CRDs []CRDSet
	// Nodes that kwok plays. 0 stands for 2; NoNodes leaves kwok out: the caller
	// plays nodes and kubelets itself.
	Nodes int
	// AuditPolicy is an audit.k8s.io/v1 Policy in YAML (AuditEverything is one).
	// Empty: nothing is recorded and AuditEvents fails.
	AuditPolicy []byte
	// APIServerFlags are put after the flags of this package, so they win.
	APIServerFlags []string
	// Dir is the folder of data, logs and credentials. It is made if absent and
	// kept by Stop. Empty: a folder in the ignored cache that Stop removes.
	Dir string
	// Port of the API server on 127.0.0.1. 0 stands for any free one.
	Port int
	// Lifetime tells what ends the processes besides Stop.
	Lifetime Lifetime
	// Slots is how many control planes may run at a time on this checkout; Start
	// waits for its turn. 0 stands for 2; Unlimited does not wait nor count.
	Slots int
	// Log gets a line for each step that takes long. Nil: nothing is told.
	Log io.Writer
}

// Unlimited as Options.Slots: the control plane takes nobody's turn.
const Unlimited = -1

// NoNodes as Options.Nodes: there are none at first, and no kwok.
const NoNodes = -1

// Lifetime of the processes of a control plane.
type Lifetime int

const (
	// WithStarter ends the processes when the one that started them ends.
	WithStarter Lifetime = iota
	// Detached processes go on until Stop or StopDir. Needs Options.Dir.
	Detached
)

const (
	defaultNodes = 2
	defaultSlots = 2
	maxNodes     = 50
)

// errDetachedWithoutDir keeps a detached control plane findable.
var errDetachedWithoutDir = errors.New("a detached control plane needs Options.Dir: StopDir finds its processes there")

func (o Options) withDefaults() (Options, error) {
	if o.CRDs == nil {
		o.CRDs = DefaultCRDs()
	}
	for _, set := range o.CRDs {
		if _, _, err := set.files(); err != nil {
			return o, fmt.Errorf("Options.CRDs: %w", err)
		}
	}
	if o.Nodes == 0 {
		o.Nodes = defaultNodes
	}
	if o.Nodes < NoNodes || o.Nodes > maxNodes {
		return o, fmt.Errorf("Options.Nodes is %d: want 1 to %d", o.Nodes, maxNodes)
	}
	if o.Slots == 0 {
		o.Slots = defaultSlots
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Lifetime == Detached && o.Dir == "" {
		return o, errDetachedWithoutDir
	}
	return o, nil
}

func (o Options) tell(format string, args ...any) {
	// Progress that cannot be shown is no reason to fail.
	_, _ = fmt.Fprintf(o.Log, "controlplane: "+format+"\n", args...)
}
