// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// Entities that Cilium gives a reserved identity (cilium pkg/labels).
const (
	EntityIngress       = "ingress"
	EntityHost          = "host"
	EntityRemoteNode    = "remote-node"
	EntityKubeAPIServer = "kube-apiserver"
	EntityWorld         = "world"
	EntityWorldIPv4     = "world-ipv4"
	EntityWorldIPv6     = "world-ipv6"
	EntityHealth        = "health"
	EntityInit          = "init"
	EntityUnmanaged     = "unmanaged"
)

// Endpoint is one end of a flow: an entity, an address outside the cluster, or a pod.
type Endpoint struct {
	// Entity is one of the entities above; then nothing else is set, but the Address of a kube-apiserver outside the cluster.
	Entity string `json:"entity,omitempty"`
	// Address is one outside the cluster; then nothing else is set.
	Address netip.Addr `json:"address,omitzero"`
	// Namespace and Labels are those of a pod.
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// NamespaceLabels are the labels of the pod's namespace.
	NamespaceLabels map[string]string `json:"namespaceLabels,omitempty"`
	ServiceAccount  string            `json:"serviceAccount,omitempty"`
	// Cluster is the name of the pod's cluster in a mesh of clusters; empty for this cluster.
	Cluster string `json:"cluster,omitempty"`
	// Ports are the pod's named container ports, all of them TCP.
	Ports map[string]int32 `json:"ports,omitempty"`
}

// String is "entity:ingress", "203.0.113.7" or "pod default/app=whoami,version=v1".
func (e Endpoint) String() string {
	switch {
	case e.Entity != "" && e.Address.IsValid():
		return "entity:" + e.Entity + " at " + e.Address.String()
	case e.Entity != "":
		return "entity:" + e.Entity
	case e.Address.IsValid():
		return e.Address.String()
	}
	pairs := make([]string, 0, len(e.Labels))
	for _, k := range slices.Sorted(maps.Keys(e.Labels)) {
		pairs = append(pairs, k+"="+e.Labels[k])
	}
	pod := "pod " + e.Namespace + "/" + strings.Join(pairs, ",")
	if e.Cluster != "" {
		pod += " of cluster " + e.Cluster
	}
	return pod
}

// identity is the endpoint's labels as a release of Cilium would have them in a cluster of the given name, sorted.
func (e Endpoint) identity(cluster string, cilium release) identity {
	var id identity
	switch {
	case e.Entity == EntityKubeAPIServer && e.Address.IsValid():
		id = identity{{sourceReserved, EntityKubeAPIServer, ""}, {sourceReserved, worldOf(e.Address), ""}}
	case e.Entity == EntityKubeAPIServer:
		// Reserved identity 7: the API server on another node (cilium pkg/identity).
		id = identity{{sourceReserved, EntityKubeAPIServer, ""}, {sourceReserved, EntityRemoteNode, ""}}
	case e.Entity != "":
		id = identity{{sourceReserved, e.Entity, ""}}
	case e.Address.IsValid():
		id = identity{{sourceReserved, worldOf(e.Address), ""}}
	default:
		id = e.podIdentity(cluster, cilium)
	}
	id.sort()
	return id
}

func (id identity) sort() {
	slices.SortFunc(id, func(a, b label) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.value, b.value))
	})
}

func (e Endpoint) podIdentity(cluster string, cilium release) identity {
	id := make(identity, 0, len(e.Labels)+len(e.NamespaceLabels)+5)
	for k, v := range e.Labels {
		if identityRelevant(k, cilium) {
			id = append(id, label{sourceK8s, k, v})
		}
	}
	for k, v := range e.NamespaceLabels {
		id = append(id, label{sourceK8s, keyNamespaceLabels + "." + k, v})
	}
	// The API server puts this label on every namespace.
	if _, ok := e.NamespaceLabels[mesh.LabelNamespaceName]; !ok {
		id = append(id, label{sourceK8s, keyNamespaceLabels + "." + mesh.LabelNamespaceName, e.Namespace})
	}
	id = append(id, label{sourceK8s, keyNamespace, e.Namespace})
	if e.ServiceAccount != "" {
		id = append(id, label{sourceK8s, keyServiceAccount, e.ServiceAccount})
	}
	if e.Cluster == "" || e.Cluster == cluster {
		return append(id, label{sourceK8s, keyCluster, localCluster}, label{sourceK8s, keyCluster, cluster})
	}
	return append(id, label{sourceK8s, keyCluster, e.Cluster})
}

// identityRelevant says whether Cilium's default label filter lets a pod's label become part of its identity
// (cilium pkg/labelsfilter).
func identityRelevant(key string, cilium release) bool {
	if strings.HasPrefix(key, "app.kubernetes.io") {
		return true
	}
	if strings.HasPrefix(key, "topology.kubernetes.io") && cilium < sinceTopologyIgnored {
		return !strings.Contains(key, "beta.kubernetes.io")
	}
	for _, ignored := range []string{
		"io.kubernetes", "kubernetes.io", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
		"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/controller-uid", "k8s.io", "pod-template-generation",
		"pod-template-hash", "controller-revision-hash", "controller-uid", "annotation", "etcd_node", "topology.kubernetes.io",
	} {
		if strings.HasPrefix(key, ignored) {
			return false
		}
	}
	return !strings.Contains(key, "beta.kubernetes.io")
}

// worldOf names the reserved label of an address outside the cluster as a cluster with IPv4 and IPv6 has it.
func worldOf(a netip.Addr) string {
	if a.Is4() {
		return EntityWorldIPv4
	}
	return EntityWorldIPv6
}

// companionPorts are the named container ports of a companion's pods, as mesh/companion renders them.
func companionPorts(http, grpc int32) map[string]int32 {
	return map[string]int32{
		"dapr-http": http, "dapr-grpc": grpc, "dapr-internal": mesh.PortInternal, "dapr-metrics": mesh.PortMetrics,
	}
}
