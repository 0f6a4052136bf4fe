// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/k8s"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_networkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	policyutils "github.com/cilium/cilium/pkg/policy/utils"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
	cilium "github.com/cilium/proxy/go/cilium/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const cluster = "default"

// firstIdentity is above the numbers that Cilium reserves.
const firstIdentity identity.NumericIdentity = 1000

// engine is Cilium's policy repository.
type engine struct {
	log        *slog.Logger
	repo       *policy.Repository
	manager    identitymanager.IDManager
	identities map[int]*identity.Identity
	ports      map[int]types.NamedPortMap
}

// newEngine sets what a Helm installation of Cilium has by default and the
// library has not.
func newEngine() (*engine, error) {
	option.Config.ClusterName = cluster
	option.Config.EnableNonDefaultDenyPolicies = true
	option.Config.EnableL7Proxy = true
	option.Config.EnableICMPRules = true
	option.Config.UnsafeDaemonConfigOption.AllowLocalhost = option.AllowLocalhostAlways
	policy.SetPolicyEnabled(option.DefaultEnforcement)
	api.InitEntities(cluster)

	log := slog.New(slog.DiscardHandler)
	if err := labelsfilter.ParseLabelPrefixCfg(log, nil, nil, ""); err != nil {
		return nil, err
	}
	reserved := identity.IdentityMap{}
	identity.IterateReservedIdentities(func(id identity.NumericIdentity, i *identity.Identity) { reserved[id] = i.LabelArray })
	e := &engine{log: log, manager: identitymanager.NewIDManager(log), identities: map[int]*identity.Identity{}, ports: map[int]types.NamedPortMap{}}
	e.repo = policy.NewPolicyRepository(log, reserved, nil, noRules{}, e.manager, testpolicy.NewPolicyMetricsNoop())
	e.repo.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	e.repo.GetSubjectSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	e.know(reserved)
	return e, nil
}

// know tells both caches of identities; they take what they know already out of
// the map that they are given.
func (e *engine) know(added identity.IdentityMap) {
	e.repo.GetSelectorCache().UpdateIdentities(maps.Clone(added), nil, &sync.WaitGroup{})
	e.repo.UpdateIdentities(maps.Clone(added), nil)
}

// add takes the policies that Cilium accepts and returns its errors for the others.
func (e *engine) add(objects []json.RawMessage) map[int]string {
	refused := map[int]string{}
	for i, object := range objects {
		entries, err := e.parse(object)
		if err != nil {
			refused[i] = err.Error()
			continue
		}
		e.repo.MustAddPolicyEntries(entries)
	}
	return refused
}

// parse reads an object as the agent does.
func (e *engine) parse(object json.RawMessage) (policytypes.PolicyEntries, error) {
	var kind metav1.TypeMeta
	if err := json.Unmarshal(object, &kind); err != nil {
		return nil, err
	}
	switch kind.Kind {
	case "CiliumNetworkPolicy":
		var p ciliumv2.CiliumNetworkPolicy
		if err := json.Unmarshal(object, &p); err != nil {
			return nil, err
		}
		rules, err := p.Parse(e.log, cluster)
		return policyutils.RulesToPolicyEntries(rules), err
	case "CiliumClusterwideNetworkPolicy":
		var p ciliumv2.CiliumClusterwideNetworkPolicy
		if err := json.Unmarshal(object, &p); err != nil {
			return nil, err
		}
		rules, err := p.Parse(e.log, cluster)
		return policyutils.RulesToPolicyEntries(rules), err
	case "NetworkPolicy":
		var p slim_networkingv1.NetworkPolicy
		if err := json.Unmarshal(object, &p); err != nil {
			return nil, err
		}
		return k8s.ParseNetworkPolicy(e.log, cluster, &p)
	default:
		return nil, fmt.Errorf("no policy: %q", kind.Kind)
	}
}

func (e *engine) verdict(f Flow, endpoints []Endpoint) (bool, error) {
	from, to := e.identity(f.From, endpoints[f.From]), e.identity(f.To, endpoints[f.To])
	protocol, err := u8proto.ParseProtocol(f.Protocol)
	if err != nil {
		return false, err
	}
	flow := policytypes.Flow{From: from, To: to, Proto: protocol, Dport: f.Port, NamedPortsTCP: map[string]uint16{}}
	for name, port := range e.ports[f.To] {
		flow.NamedPortsTCP[name] = port.Port
	}
	named := types.NewNamedPortMultiMap()
	named.Update(to.ID, nil, e.ports[f.To])
	e.repo.SetNamedPortsGetter(namedPorts{named})
	result, _, _, err := policy.LookupFlow(e.log, e.repo, e.manager, flow)
	if err != nil {
		return false, err
	}
	return result.Ingress == policytypes.DecisionAllowed && result.Egress == policytypes.DecisionAllowed, nil
}

// identity is what the agent makes of an endpoint: the labels that count are
// chosen by Cilium's own filter.
func (e *engine) identity(place int, p Endpoint) *identity.Identity {
	if id, ok := e.identities[place]; ok {
		return id
	}
	var id *identity.Identity
	if p.Entity != "" {
		id = identity.LookupReservedIdentity(identity.GetReservedID(p.Entity))
	} else {
		var all map[string]string
		e.ports[place], all = k8s.GetPodMetadata(e.log, p.Namespace, p.Pod)
		counting, _ := labelsfilter.Filter(labels.Map2Labels(all, labels.LabelSourceK8s))
		id = identity.NewIdentity(firstIdentity+identity.NumericIdentity(place), counting)
	}
	e.identities[place] = id
	e.know(identity.IdentityMap{id.ID: id.LabelArray})
	return id
}

// namedPorts serves the engine the named ports of a flow's destination.
type namedPorts struct{ all types.NamedPortMultiMap }

// GetNamedPorts implements the engine's interface.
func (n namedPorts) GetNamedPorts() types.NamedPortMultiMap { return n.all }

// noRules stands in for the translation of HTTP rules to Envoy's: no verdict
// depends on it.
type noRules struct{}

func (noRules) GetEnvoyHTTPRules(*api.L7Rules, string) (*cilium.HttpNetworkPolicyRules, bool) {
	return nil, false
}

var _ envoypolicy.EnvoyL7RulesTranslator = noRules{}
