// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

var (
	errEndpoint = errors.New("not an endpoint")
	errPort     = errors.New("not a port")
	errNoApp    = errors.New("no app or Gateway of the input has this app ID there")
)

const endpointForms = "entity:NAME, pod:NAMESPACE/key=value,… or app:NAMESPACE/APP-ID"

// endpointOf reads an endpoint of the command line (contract: "CLI shapes").
func endpointOf(view *mesh.View, text string) (policy.Endpoint, error) {
	kind, rest, _ := strings.Cut(text, ":")
	namespace, what, found := strings.Cut(rest, "/")
	switch {
	case kind == "entity" && slices.Contains(entities(), rest):
		return policy.Endpoint{Entity: rest}, nil
	case kind == "entity":
		return policy.Endpoint{}, fmt.Errorf("%w: %q; an entity is one of %s", errEndpoint, text, strings.Join(entities(), ", "))
	case kind == "pod" && found && namespace != "":
		labels, err := labelsOf(what)
		if err != nil {
			return policy.Endpoint{}, fmt.Errorf("%w: %q: %w", errEndpoint, text, err)
		}
		return policy.Endpoint{Namespace: namespace, Labels: labels, NamespaceLabels: view.Namespaces[namespace]}, nil
	case kind == "app" && found && namespace != "" && what != "":
		return companionAt(view, mesh.AppRef{Namespace: namespace, ID: what})
	default:
		return policy.Endpoint{}, fmt.Errorf("%w: %q; it is %s", errEndpoint, text, endpointForms)
	}
}

func entities() []string {
	return []string{
		policy.EntityIngress, policy.EntityHost, policy.EntityRemoteNode, policy.EntityKubeAPIServer, policy.EntityWorld,
		policy.EntityWorldIPv4, policy.EntityWorldIPv6, policy.EntityHealth, policy.EntityInit, policy.EntityUnmanaged,
	}
}

var errLabel = errors.New("labels are key=value, with commas between")

func labelsOf(text string) (map[string]string, error) {
	labels := map[string]string{}
	if text == "" {
		return labels, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, errLabel
		}
		labels[key] = value
	}
	return labels, nil
}

// companionAt is the pods of a companion.
func companionAt(view *mesh.View, ref mesh.AppRef) (policy.Endpoint, error) {
	component, http, grpc := mesh.ComponentIngress, mesh.PortHTTP, mesh.PortGRPC
	if _, ok := view.Ingress(ref); !ok {
		app, ok := view.App(ref)
		if !ok {
			return policy.Endpoint{}, fmt.Errorf("app:%s/%s: %w", ref.Namespace, ref.ID, errNoApp)
		}
		component, http, grpc = mesh.ComponentApp, app.HTTPPort(), app.GRPCPort()
	}
	return policy.Endpoint{
		Namespace:       ref.Namespace,
		Labels:          mesh.PodLabels(ref.ID, component),
		NamespaceLabels: view.Namespaces[ref.Namespace],
		ServiceAccount:  mesh.CompanionName(ref.ID),
		Ports:           map[string]int32{"dapr-http": http, "dapr-grpc": grpc, "dapr-internal": mesh.PortInternal, "dapr-metrics": mesh.PortMetrics},
	}, nil
}

// portOf reads "50002/TCP"; the protocol is TCP if it is not said.
func portOf(text string) (int32, policy.Protocol, error) {
	number, protocol, found := strings.Cut(text, "/")
	if !found {
		protocol = string(policy.TCP)
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 || n > 65535 {
		return 0, "", fmt.Errorf("%w: %q; it is NUMBER or NUMBER/PROTOCOL", errPort, text)
	}
	return int32(n), policy.Protocol(strings.ToUpper(protocol)), nil
}
