// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strconv"
	"strings"
)

// release is a release of Cilium 1: its minor version and two digits for the patch, so that 1.17.5 is 1705.
type release int

const (
	// oldest and newest bound the releases whose verdicts are known. The package models the newest, modelled; differences tells what
	// the others do otherwise.
	oldest   release = 1600
	newest   release = 2099
	modelled release = 2002
)

// releases is those in words.
const releases = "1.16 to 1.20"

// releaseOf reads "1.19.6". For what is no release from oldest to newest ok is false, and the release is the one modelled.
func releaseOf(version string) (r release, ok bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) != 3 || parts[0] != "1" {
		return modelled, false
	}
	minor, err := strconv.ParseUint(parts[1], 10, 8)
	if err != nil {
		return modelled, false
	}
	patch, err := strconv.ParseUint(parts[2], 10, 8)
	if r = release(minor*100 + min(patch, 99)); err != nil || r < oldest || r > newest {
		return modelled, false
	}
	return r, true
}

// AnyClusterByDefault says whether a version of Cilium takes selectors that say nothing of the cluster for those of every cluster of a mesh.
func AnyClusterByDefault(version string) bool {
	r, _ := releaseOf(version)
	return r < sinceLocalCluster
}

// The first releases that do as the package models; differences says what those before do.
const (
	sinceAggregates        release = 2000
	sinceClusterMeshEntity release = 2000
	sinceExceptsChecked    release = 2000
	sinceGroupsOutside     release = 2000
	sinceNamesAlone        release = 2000
	sinceZeroIsEvery       release = 2000
	sinceInitClosedToNode  release = 2000
	sinceHostByNumber      release = 2000
	sinceTwoLayer7Rules    release = 2000
	sinceLocalCluster      release = 1900
	sinceEncodedGroups     release = 1900
	sinceWorldByFamily     release = 1900
	sinceTopologyIgnored   release = 1800
	sinceParsersByPeer     release = 1800
	sinceSpecsChecked      release = 1802
	sinceWorldAlone        release = 1800
	sinceGAMMAIdentity     release = 1705
	sinceExceptsSelected   release = 1700
	sinceDeniesByLabel     release = 1700
	sinceGroupSelectors    release = 1700
	sinceGroupExcepts      release = 1700
	sinceNarrowExcepts     release = 1700
	sinceSetsApart         release = 1700
	sinceZeroRanges        release = 1700
	sinceEmptyRulesChecked release = 1700
	sinceLayer7Ranges      release = 1700
	sinceServicePorts      release = 1700
)

// difference is one way in which releases judge otherwise than the package models: those before since.
type difference struct {
	// name is that of the fixture, testdata/versions/<name>.yaml.
	name  string
	since release
	// before says what they do.
	before string
	// source is where Cilium's own repository shows it: files as of both releases, and the change.
	source string
}

// differences are those in which a release from oldest on differs from the one modelled, the newest first. Each has a fixture. hack/oracle
// asks the engines of 1.19.6, 1.18.11, 1.17.16 and 1.16.19 for them.
func differences() []difference {
	return slices.Concat(differencesOf20(), differencesOf19And18(), differencesOf17())
}

func differencesOf20() []difference {
	return []difference{
		{
			"aggregates", sinceAggregates,
			"Peers are looked up by their own identity and by none alone: a selector that asks only for labels to be absent, and names a reserved one, does not reach every pod and address beside those it matches.",
			"pkg/policy/aggregate.go of v1.20.2, absent in v1.19.6; cilium/cilium#46813, #47216",
		},
		{
			"cluster-mesh-entity", sinceClusterMeshEntity,
			"Entity cluster-mesh is not known: it voids the policy.",
			"pkg/policy/api/entity.go of v1.19.6 and v1.20.2; cilium/cilium#46813",
		},
		{
			"wide-except", sinceExceptsChecked,
			"An exception wider than its block is accepted, and leaves nothing of the block; later it voids the policy.",
			"pkg/policy/api/rule_validation.go CIDRRule.sanitize of v1.19.6 and v1.20.2; cilium/cilium#44637",
		},
		{
			"groups-everywhere", sinceGroupsOutside,
			"A cidrGroupSelector that only asks for labels to be absent matches pods, nodes and the gateway, too: none of them has a label of a group.",
			"pkg/policy/types/selector.go CIDRSelector.Matches of v1.19.6 and v1.20.2 (HasWorldLabel)",
		},
		{
			"named-range-out", sinceNamesAlone,
			"A range of ports that begins with a name is a range at egress, too; later the name alone counts there.",
			"pkg/policy/l4.go L4Filter.toMapState of v1.19.6 and v1.20.2 (namedPortsGetter)",
		},
		{
			"range-from-zero", sinceZeroIsEvery,
			"A range of ports that begins with 0 ends where it says; later port 0 is every port, whatever its end.",
			"pkg/policy/l4.go L4Filter.toMapState of v1.19.6 and keysForRange of v1.20.2",
		},
		{
			"init-and-node", sinceInitClosedToNode,
			"The node reaches endpoints without labels yet, which are closed to all others while no rule selects them.",
			"pkg/policy/mapstate.go determineAllowLocalhostIngress of v1.19.6; pkg/policy/repository.go HostSelectors of v1.20.2",
		},
		{
			"label-host", sinceHostByNumber,
			"A pod with a label named host, of whatever value, is taken for the node: no policy is enforced at it.",
			"pkg/policy/repository.go computePolicyEnforcementAndRules of v1.19.6 (lbls.Has) and v1.20.2 (ReservedIdentityHost)",
		},
		{
			"kafka", sinceTwoLayer7Rules,
			"Rules for Kafka and for protocols of Envoy's Go extensions (kafka, l7proto) let part of the traffic pass. No type of today holds them, so that rules which seem empty are taken for such.",
			"pkg/policy/api/l4.go L7Rules of v1.19.6 and v1.20.2; cilium/cilium#40967",
		},
	}
}

func differencesOf19And18() []difference {
	return []difference{
		{
			"any-cluster", sinceLocalCluster,
			"In a mesh of clusters, selectors that say nothing of the cluster are those of every cluster.",
			"pkg/k8s/apis/cilium.io/utils addClusterFilterByDefault of v1.18.11, absent in v1.17.16; policyDefaultLocalCluster in install/kubernetes/cilium/values.yaml of v1.18.11 and v1.19.6; cilium/cilium#39338, #40609",
		},
		{
			"groups-differ", sinceEncodedGroups,
			"An address that several CiliumCIDRGroups hold has one value of a label, of one of them: which is not judged.",
			"pkg/policy/k8s/cilium_cidr_group.go of v1.18.11 (Map2Labels) and v1.19.6 (EncodedCIDRGroupLabel)",
		},
		{
			"every-address", sinceWorldByFamily,
			"fromCIDR or toCIDR with both 0.0.0.0/0 and ::/0 means entity world, too.",
			"pkg/policy/api/cidr.go CIDRSlice.GetAsEndpointSelectors of v1.18.11 and v1.19.6",
		},
		{
			"specs-node", sinceSpecsChecked,
			"A nodeSelector in an element of specs of a CiliumNetworkPolicy is accepted and means no pod; later it voids the policy.",
			"pkg/k8s/apis/cilium.io/v2/cnp_types.go Parse of v1.17.16 and v1.18.11; cilium/cilium#40702",
		},
		{
			"parsers", sinceParsersByPeer,
			"Rules that ask for different protocols of the proxy on one port cannot be merged, though their peers differ: the endpoint gets no policy.",
			"pkg/policy/rule.go mergePortProto (existingFilter.L7Parser) of v1.17.16; pkg/policy/rule.go mergePortProto of v1.18.11",
		},
		{
			"topology", sinceTopologyIgnored,
			"Pod labels under topology.kubernetes.io are part of a pod's identity.",
			"pkg/labelsfilter/filter.go defaultLabelPrefixCfg of v1.17.16 and v1.18.11",
		},
		{
			"world-label", sinceWorldAlone,
			"Whatever selects entity world, by its label reserved:world alone, too, selects world-ipv4 and world-ipv6: the addresses that no policy names.",
			"pkg/policy/l4.go L4Filter.toMapState of v1.17.16 (ReservedIdentityWorld, IsDualStack), absent in v1.18.11",
		},
		{
			"gamma", sinceGAMMAIdentity,
			"What a GAMMA route sends to its backends arrives with the gateway's identity, and later with that of the companion.",
			"operator/pkg/model/translation/cec_translator.go of v1.16.19 (UseOriginalSourceAddressLabel false) and v1.17.16; cilium/cilium#39206, in 1.17.5",
		},
	}
}

func differencesOf17() []difference {
	return []difference{
		{
			"group-selector", sinceGroupSelectors,
			"cidrGroupSelector is not known: the rule names no addresses and voids the policy.",
			"pkg/policy/api/cidr.go CIDRRule of v1.16.19 and v1.17.16; cilium/cilium#33441",
		},
		{
			"group-except", sinceGroupExcepts,
			"The blocks of a group replace its name before the policy is checked: an exception that one of them does not hold voids it. Exceptions to groups are not judged.",
			"pkg/policy/k8s/cilium_cidr_group.go translateCIDRRuleSlice of v1.16.19; cilium/cilium#33441",
		},
		{
			"every-address-but", sinceExceptsSelected,
			"fromCIDRSet or toCIDRSet with exceptions means the blocks that are left, each a peer of its own which Cilium may be unable to merge with that of another rule; of 0.0.0.0/0 or ::/0 not the world entity, which is what no block names.",
			"pkg/policy/api/cidr.go ComputeResultantCIDRSet of v1.16.19 and CIDRRuleSlice.GetAsEndpointSelectors of v1.17.16; cilium/cilium#35139",
		},
		{
			"world-denied", sinceDeniesByLabel,
			"A deny that selects entity world, and not world-ipv4 and world-ipv6, denies addresses as well, of which no label is asked, if another rule lets them in by more than a rule for everybody: which is not judged.",
			"pkg/policy/mapstate.go identityIsSupersetOf and worldNets of v1.16.19, absent in v1.17.16",
		},
		{
			"every-set", sinceSetsApart,
			"fromCIDRSet or toCIDRSet with both 0.0.0.0/0 and ::/0, without exceptions, means entity world, too.",
			"pkg/policy/api/cidr.go ComputeResultantCIDRSet of v1.16.19 and GetAsEndpointSelectors of v1.17.16; cilium/cilium#35139",
		},
		{
			"wide-except-crash", sinceNarrowExcepts,
			"An exception wider than its block ends the agent: what it enforces is not judged.",
			"pkg/ip/ip.go excludeContainedCIDR of v1.16.19 (makeslice: cap out of range); cilium/cilium#35139",
		},
		{
			"zero-range", sinceZeroRanges,
			"The part of a range of ports that begins with 0 counts as every port when rules are sorted by how narrow they are, so that others are lost: endpoints with one are not judged.",
			"pkg/policy/types/types.go Key.PortIsBroader of v1.16.19 (DestPort 0) and v1.17.16",
		},
		{
			"empty-rule", sinceEmptyRulesChecked,
			"A spec without any rule is accepted, beside others in specs.",
			"pkg/policy/api/rule_validation.go Rule.Sanitize of v1.16.19 and v1.17.16; cilium/cilium#35904",
		},
		{
			"layer-7-range", sinceLayer7Ranges,
			"Rules for layer 7 on a range of ports void the policy.",
			"pkg/policy/api/rule_validation.go PortProtocol.sanitize of v1.16.19 and v1.17.16; cilium/cilium#36056",
		},
		{
			"service-ports", sinceServicePorts,
			"toServices beside toPorts voids the policy.",
			"pkg/policy/api/rule_validation.go l3DependentL4Support of v1.16.19 and v1.17.16; cilium/cilium#34208",
		},
	}
}
