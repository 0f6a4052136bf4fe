// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/option"
	ciliumpolicy "github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"

	"github.com/daprise/daprise/mesh/policy"
)

// Cluster is the name of the engine's cluster.
const Cluster = policy.DefaultCluster

// ErrConflict says that Cilium cannot compute an endpoint's policy, since it cannot merge two of its rules.
var ErrConflict = errors.New("no policy")

// remoteCluster is the number of every other cluster.
const remoteCluster identity.NumericIdentity = 3

// Engine is Cilium's policy repository with a set of policies. It is not safe for concurrent use.
type Engine struct {
	log        *slog.Logger
	repo       *ciliumpolicy.Repository
	manager    identitymanager.IDManager
	identities map[string]*identity.Identity
	next       identity.NumericIdentity
	nextLocal  identity.NumericIdentity
	groups     []*ciliumv2.CiliumCIDRGroup
}

// namedPorts serves the engine the named ports of the endpoints that it has been asked about.
type namedPorts struct{ all types.NamedPortMultiMap }

// GetNamedPorts implements the engine's interface.
func (n namedPorts) GetNamedPorts() types.NamedPortMultiMap { return n.all }

// New makes an engine with the policies that Cilium accepts of those given. Objects are *CiliumNetworkPolicy,
// *CiliumClusterwideNetworkPolicy, *NetworkPolicy (networking.k8s.io/v1) or *CiliumCIDRGroup. refused has Cilium's error for each it does not accept,
// by place.
func New(objects ...any) (engine *Engine, refused map[int]error) {
	option.Config.EnableNonDefaultDenyPolicies = true
	option.Config.EnableL7Proxy = true
	option.Config.EnableICMPRules = true
	option.Config.UnsafeDaemonConfigOption.AllowLocalhost = option.AllowLocalhostAlways
	ciliumpolicy.SetPolicyEnabled(option.DefaultEnforcement)
	api.InitEntities(Cluster)

	log := slog.New(slog.DiscardHandler)
	e := &Engine{log: log, manager: identitymanager.NewIDManager(log), identities: map[string]*identity.Identity{}, next: 1000}
	e.repo = ciliumpolicy.NewPolicyRepository(log, reservedIdentities(), synced{}, noRules{}, e.manager, testpolicy.NewPolicyMetricsNoop())
	e.repo.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	e.repo.GetSubjectSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	e.update(reservedIdentities())
	refused = map[int]error{}
	for i, object := range objects {
		if group, ok := object.(*ciliumv2.CiliumCIDRGroup); ok {
			e.groups = append(e.groups, group)
			continue
		}
		entries, err := entriesOf(log, object)
		if err != nil {
			refused[i] = err
			continue
		}
		e.repo.MustAddPolicyEntries(entries)
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

// update tells both caches, which take what they know already out of the map they are given.
func (e *Engine) update(added identity.IdentityMap) {
	e.repo.GetSelectorCache().UpdateIdentities(maps.Clone(added), nil, &sync.WaitGroup{})
	e.repo.UpdateIdentities(maps.Clone(added), nil)
}

// Verdict is what the engine says about a flow: is it let through at ingress, at egress. ErrConflict means that it cannot
// compute the policy.
func (e *Engine) Verdict(f policy.Flow) (ingress, egress bool, err error) {
	from, to := e.identity(f.From), e.identity(f.To)
	protocol, err := u8proto.ParseProtocol(string(f.Protocol))
	if err != nil {
		return false, false, fmt.Errorf("parse protocol %q: %w", f.Protocol, err)
	}
	flow := policytypes.Flow{From: from, To: to, Proto: protocol, Dport: uint16(f.Port), NamedPortsTCP: map[string]uint16{}}
	ports := types.NamedPortMap{}
	for name, number := range f.To.Ports {
		flow.NamedPortsTCP[name] = uint16(number)
		ports[name] = types.PortProto{Proto: u8proto.TCP, Port: uint16(number)}
	}
	named := types.NewNamedPortMultiMap()
	named.Update(to.ID, nil, ports)
	e.repo.SetNamedPortsGetter(namedPorts{named})
	result, _, _, err := ciliumpolicy.LookupFlow(e.log, e.repo, e.manager, flow)
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return result.Ingress == policytypes.DecisionAllowed, result.Egress == policytypes.DecisionAllowed, nil
}

// identity is the endpoint's, allocated at its first use.
func (e *Engine) identity(p policy.Endpoint) *identity.Identity {
	key := fmt.Sprintf("%s|%s|%v|%s|%s|%s", p.Entity, p.Address, p.NamespaceLabels, p.ServiceAccount, p.Cluster, p)
	if id, ok := e.identities[key]; ok {
		return id
	}
	id := e.allocate(p)
	e.identities[key] = id
	e.update(identity.IdentityMap{id.ID: id.LabelArray})
	return id
}

func (e *Engine) allocate(p policy.Endpoint) *identity.Identity {
	switch {
	case p.Entity != "" && !p.Address.IsValid():
		return identity.LookupReservedIdentity(identity.GetReservedID(p.Entity))
	case p.Address.IsValid():
		e.nextLocal++
		lbls := labels.GetCIDRLabels(netip.PrefixFrom(p.Address, p.Address.BitLen()))
		if p.Entity == policy.EntityKubeAPIServer {
			lbls.MergeLabels(labels.LabelKubeAPIServer)
		}
		e.addGroups(lbls, p.Address)
		return identity.NewIdentity(identity.IdentityScopeLocal+e.nextLocal, lbls)
	}
	e.next++
	id := e.next
	if p.Cluster != "" && p.Cluster != Cluster {
		// The cluster is part of the number, by which Cilium aggregates its maps.
		id |= remoteCluster << identity.GetClusterIDShift()
	}
	return identity.NewIdentity(id, labels.Map2Labels(podLabels(p), labels.LabelSourceK8s))
}

// addGroups adds what Cilium's agent labels the addresses of groups with (pkg/policy/k8s cidrsAndLabelsForCIDRGroup).
func (e *Engine) addGroups(lbls labels.Labels, address netip.Addr) {
	for _, g := range e.groups {
		if !slices.ContainsFunc(g.Spec.ExternalCIDRs, func(c api.CIDR) bool { return netip.MustParsePrefix(string(c)).Contains(address) }) {
			continue
		}
		add := func(l labels.Label) { lbls[l.Key] = l }
		add(api.LabelForCIDRGroupRef(g.Name))
		for k, v := range g.Labels {
			add(labels.NewLabel(k, v, labels.LabelSourceCIDRGroup))
			add(labels.EncodedCIDRGroupLabel(k, v, labels.LabelSourceCIDRGroup))
		}
	}
}

// podLabels are written here a second time, from Cilium's documentation and not from mesh/policy.
func podLabels(p policy.Endpoint) map[string]string {
	all := map[string]string{"io.kubernetes.pod.namespace": p.Namespace, "io.cilium.k8s.policy.cluster": Cluster}
	for k, v := range p.Labels {
		all[k] = v
	}
	for k, v := range p.NamespaceLabels {
		all["io.cilium.k8s.namespace.labels."+k] = v
	}
	all["io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"] = p.Namespace
	if p.ServiceAccount != "" {
		all["io.cilium.k8s.policy.serviceaccount"] = p.ServiceAccount
	}
	if p.Cluster != "" {
		all["io.cilium.k8s.policy.cluster"] = p.Cluster
	}
	return all
}

// Protocols are those that a flow may have.
func Protocols() []policy.Protocol { return slices.Clone([]policy.Protocol{"TCP", "UDP", "SCTP"}) }
