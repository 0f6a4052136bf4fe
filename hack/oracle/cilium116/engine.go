// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/cilium/cilium/pkg/policy/trafficdirection"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	"github.com/cilium/cilium/pkg/u8proto"

	"github.com/daprise/daprise/hack/oracle/wire"
)

// otherCluster is the number of every other cluster.
const otherCluster identity.NumericIdentity = 3

// engine is Cilium's repository with one set of policies.
type engine struct {
	repo        *policy.Repository
	identities  map[string]*identity.Identity
	next, local identity.NumericIdentity
	groups      []wire.Group
}

// start makes an engine with the policies that Cilium accepts of those given.
func start(objects []wire.Object) (wire.Engine, map[int]string) {
	e := &engine{identities: map[string]*identity.Identity{}, next: 1000}
	e.repo = policy.NewStoppedPolicyRepository(reservedIdentities(), synced{}, nil, api.NewPolicyMetricsNoop())
	e.repo.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	e.add(reservedIdentities())
	refused := map[int]string{}
	for i, o := range objects {
		if err := e.load(o); err != nil {
			refused[i] = err.Error()
		}
	}
	return e, refused
}

func reservedIdentities() identity.IdentityMap {
	all := identity.IdentityMap{}
	identity.IterateReservedIdentities(func(id identity.NumericIdentity, reserved *identity.Identity) {
		all[id] = reserved.LabelArray
	})
	return all
}

// add tells the cache, which takes what it knows already out of the map it is given.
func (e *engine) add(added identity.IdentityMap) {
	told := &sync.WaitGroup{}
	e.repo.GetSelectorCache().UpdateIdentities(maps.Clone(added), nil, told)
	told.Wait()
}

// Judge asks the source for its egress and the destination for its ingress.
func (e *engine) Judge(f wire.Flow) (ingress, egress bool, err error) {
	from, to := e.identity(f.From), e.identity(f.To)
	if egress, err = e.lets(from, key{peer: to.ID.Uint32(), direction: trafficdirection.Egress}, f); err != nil {
		return false, false, err
	}
	ingress, err = e.lets(to, key{peer: from.ID.Uint32(), direction: trafficdirection.Ingress}, f)
	return ingress, egress, err
}

// lets says whether the policy of one end lets a flow pass, as the datapath would look it up.
func (e *engine) lets(subject *identity.Identity, k key, f wire.Flow) (bool, error) {
	protocol, err := u8proto.ParseProtocol(f.Protocol)
	if err != nil {
		return false, fmt.Errorf("parse protocol: %w", err)
	}
	k.protocol, k.port = uint8(protocol), f.Port
	cache := e.repo.GetPolicyCache()
	cache.LocalEndpointIdentityAdded(subject)
	if err := cache.UpdatePolicy(subject, 0); err != nil {
		return false, fmt.Errorf("compute policy: %w", err)
	}
	selected := cache.Lookup(subject)
	o := owner{id: uint64(subject.ID), ports: f.Ports, realized: map[string]uint16{}}
	// The first time tells which redirects there are.
	first := selected.Consume(o)
	o.realize(first.L4Policy.Ingress.PortRules)
	o.realize(first.L4Policy.Egress.PortRules)
	first.Detach()
	p := selected.Consume(o)
	defer p.Detach()
	return lookUp(p, k), nil
}

// identity is the endpoint's, allocated at its first use.
func (e *engine) identity(p wire.Endpoint) *identity.Identity {
	if id, ok := e.identities[p.Key()]; ok {
		return id
	}
	id := e.allocate(p)
	e.identities[p.Key()] = id
	e.add(identity.IdentityMap{id.ID: id.LabelArray})
	return id
}

func (e *engine) allocate(p wire.Endpoint) *identity.Identity {
	switch {
	case p.Address.IsValid():
		e.local++
		lbls := labels.GetCIDRLabels(netip.PrefixFrom(p.Address, p.Address.BitLen()))
		if p.Entity != "" {
			lbls.MergeLabels(labels.LabelKubeAPIServer)
		}
		return identity.NewIdentity(identity.IdentityScopeLocal+e.local, lbls)
	case p.Entity != "":
		return identity.LookupReservedIdentity(identity.GetReservedID(p.Entity))
	}
	e.next++
	id := e.next
	if p.Remote {
		id |= otherCluster << identity.GetClusterIDShift()
	}
	relevant, _ := labelsfilter.Filter(labels.Map2Labels(p.Labels, labels.LabelSourceK8s))
	return identity.NewIdentity(id, relevant)
}
