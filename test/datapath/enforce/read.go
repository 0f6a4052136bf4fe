// SPDX-License-Identifier: Apache-2.0

//go:build linux

package enforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var errAPI = errors.New("read the cluster")

// state is what verdicts depend on.
type state struct {
	policies []json.RawMessage
	groups   []group
	// ports are those that some policy names by number.
	ports []uint16
}

// group is an identity and the addresses that have it.
type group struct {
	key       string // the endpoint as the engine is asked for it
	addresses []netip.Addr
	// ports are the containers' own.
	ports []uint16
}

func kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicyList"},
		{Group: "cilium.io", Version: "v2", Kind: "CiliumClusterwideNetworkPolicyList"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicyList"},
	}
}

func (e *Enforcer) read(ctx context.Context) (state, error) {
	var s state
	for _, kind := range kinds() {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(kind)
		if err := e.options.Client.List(ctx, &list); err != nil && !meta.IsNoMatchError(err) {
			return s, err
		}
		for i := range list.Items {
			if err := s.addPolicy(&list.Items[i]); err != nil {
				return s, err
			}
		}
	}
	slices.Sort(s.ports)
	s.ports = slices.Compact(s.ports)
	var namespaces corev1.NamespaceList
	if err := e.options.Client.List(ctx, &namespaces); err != nil {
		return s, err
	}
	labels := map[string]map[string]string{}
	for i := range namespaces.Items {
		labels[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	var pods corev1.PodList
	if err := e.options.Client.List(ctx, &pods); err != nil {
		return s, err
	}
	for i := range pods.Items {
		if known := e.addresses[pods.Items[i].UID]; known != nil {
			known.pod = &pods.Items[i]
		}
	}
	return s, e.group(&s, labels)
}

// addPolicy keeps an object without what changes when its meaning does not.
func (s *state) addPolicy(object *unstructured.Unstructured) error {
	content := map[string]any{
		"apiVersion": object.GetAPIVersion(), "kind": object.GetKind(),
		"metadata": map[string]any{"name": object.GetName(), "namespace": object.GetNamespace(), "uid": string(object.GetUID())},
	}
	for _, field := range []string{"spec", "specs"} {
		if value, ok := object.Object[field]; ok {
			content[field] = value
			if err := s.addPorts(value); err != nil {
				return fmt.Errorf("%s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
			}
		}
	}
	data, err := json.Marshal(content)
	s.policies = append(s.policies, data)
	return err
}

// addPorts collects the ports that a policy names, wherever in it.
func (s *state) addPorts(value any) error {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if key == "endPort" {
				return errors.New("endPort is not played here")
			}
			if key == "port" {
				var number uint16
				if _, err := fmt.Sscan(fmt.Sprint(inner), &number); err == nil && number != 0 {
					s.ports = append(s.ports, number)
				}
				continue
			}
			if err := s.addPorts(inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := s.addPorts(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// group makes one of all Pods that differ in nothing but their names. The node
// is where the API server is.
func (e *Enforcer) group(s *state, labels map[string]map[string]string) error {
	byKey := map[string]*group{}
	add := func(endpoint any, address netip.Addr, containers []corev1.Container) error {
		key, err := json.Marshal(endpoint)
		if err != nil {
			return err
		}
		g := byKey[string(key)]
		if g == nil {
			g = &group{key: string(key)}
			byKey[string(key)] = g
		}
		g.addresses = append(g.addresses, address)
		for _, c := range containers {
			for _, port := range c.Ports {
				g.ports = append(g.ports, uint16(port.ContainerPort))
			}
		}
		return nil
	}
	if err := add(entity("kube-apiserver"), e.options.Node, nil); err != nil {
		return err
	}
	for _, uid := range slices.SortedFunc(mapKeys(e.addresses), func(a, b types.UID) int { return strings.Compare(string(a), string(b)) }) {
		at := e.addresses[uid]
		endpoint := podEndpoint(at.pod, labels[at.pod.Namespace])
		if e.options.IsGateway(at.pod) {
			endpoint = entity("ingress")
		}
		if err := add(endpoint, at.address, at.pod.Spec.Containers); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(mapKeys(byKey), strings.Compare) {
		s.groups = append(s.groups, *byKey[key])
	}
	return nil
}
