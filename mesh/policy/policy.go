// SPDX-License-Identifier: Apache-2.0

// Package policy says what Cilium's network policies mean for a flow: who may reach what, why, and what is missing. It is pure.
//
// Policies are compiled once per version (CompileCNP, CompileCCNP, CompileKNP) and combined in an immutable Set. A Set answers two
// questions: Verdict, is this flow allowed, and Exposure, who can reach this endpoint. App and Ingress judge the coverage of a
// companion from the two. The model is that of Cilium 1.20 (pkg/policy); hack/oracle compares it with Cilium's own engine.
package policy

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/daprise/daprise/mesh"
)

// Kinds of policy objects.
const (
	KindCNP  = "CiliumNetworkPolicy"
	KindCCNP = "CiliumClusterwideNetworkPolicy"
	KindKNP  = "NetworkPolicy"
)

// Ref names a policy object.
type Ref struct {
	Kind string
	// Namespace is empty for the clusterwide kind.
	Namespace string
	Name      string
}

// String is "CiliumNetworkPolicy/default/x", clusterwide "CiliumClusterwideNetworkPolicy/x"; the zero Ref is empty.
func (r Ref) String() string {
	switch {
	case r == Ref{}:
		return ""
	case r.Namespace == "":
		return r.Kind + "/" + r.Name
	default:
		return r.Kind + "/" + r.Namespace + "/" + r.Name
	}
}

// Object is the same name as findings carry it.
func (r Ref) Object() mesh.Object {
	version := "cilium.io/v2"
	if r.Kind == KindKNP {
		version = "networking.k8s.io/v1"
	}
	return mesh.Object{APIVersion: version, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// Policy is one policy object, compiled. Compile once per version (UID and resourceVersion) and reuse: a Policy is immutable and
// safe for concurrent use.
type Policy struct {
	ref Ref
	// rules count in the releases of Cilium that do not reject the object.
	rules []*rule
	// voids say which do; void is what the release at hand says, the one modelled where no other is asked for.
	voids []void
	void  string
	// unsure names what decides whether Cilium accepts the object at all, and is not known here.
	unsure  string
	subject []selector
	// named are the app IDs that subject names.
	named []named
	// single says that the object has a spec, which counts before its specs.
	single bool
	// older is what another release makes of the object, once asked for; newer is the Policy that such a one came from.
	older atomic.Pointer[older]
	newer *Policy
}

// Ref names the object that the policy was compiled from.
func (p *Policy) Ref() Ref { return p.ref }

// Void says why the whole object has no effect in Cilium, if so: one invalid rule voids it. It speaks of the release modelled; VoidIn of
// that of a Set.
func (p *Policy) Void() (reason string, void bool) { return p.void, p.void != "" }

// specField is the path of a spec by its number.
func (p *Policy) specField(n int) string {
	switch {
	case p.single && n == 0:
		return "spec"
	case p.single:
		return fmt.Sprintf("specs[%d]", n-1)
	default:
		return fmt.Sprintf("specs[%d]", n)
	}
}

// selects says whether any rule of the policy has the endpoint as its subject. A void policy still selects those that its
// readable selectors name, so that a caller can tell whom its author meant.
func (p *Policy) selects(id identity) bool {
	return slices.ContainsFunc(p.subject, func(s selector) bool { return s.matches(id) })
}

// direction is the side at which a rule is enforced.
type direction uint8

const (
	ingress direction = iota
	egress
)

// rule is one element of a policy's ingress, ingressDeny, egress or egressDeny list.
type rule struct {
	policy  *Policy
	subject selector
	// peers are alternatives; anyPeer is every source or destination. With neither, the rule matches nothing. former are peers that it had in
	// releases before one.
	peers  []peer
	former []formerPeer
	// ports are alternatives; anyPort is every port of every protocol.
	ports []port
	// spec counts the policy's spec and specs from 0; path and index name the element: "ingressDeny", 2.
	path        string
	spec, index int
	anyPeer     bool
	anyPort     bool
	// node marks a rule with nodeSelector: it is enforced at hosts and nowhere else.
	node      bool
	direction direction
	deny      bool
	// defaultDeny says that the rule's mere presence closes its direction for its subjects.
	defaultDeny bool
	// dated says that releases differ in the peers or ports.
	dated bool
	auth  authMode
	// demanding says that the rule asks more of the traffic than its peer and port.
	demanding bool
}

// authMode is what a rule asks of the traffic that it allows.
type authMode uint8

const (
	authUnset authMode = iota
	authDisabled
	authRequired
	authAlwaysFail
)
