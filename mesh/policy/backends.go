// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
)

// backends are the flows F3: from an app's companion to the app's own pods, and to every backend of the GAMMA split of its Service, on the
// port that each pod serves.
func (c *companion) backends(d directory, app mesh.App) []need {
	own := mesh.Name{Namespace: app.Namespace, Name: app.Service}
	needs := c.toService(d, own, app.Port)
	splits := d.splitsOf(own)
	for _, split := range splits {
		if split.Backend == own && split.Port == app.Port {
			continue
		}
		for _, n := range c.toService(d, split.Backend, split.Port) {
			if !slices.ContainsFunc(needs, func(o need) bool {
				return o.to.name == n.to.name && o.port == n.port && o.to.endpoint.String() == n.to.endpoint.String()
			}) {
				needs = append(needs, n)
			}
		}
	}
	if cilium, _ := releaseOf(d.view.Cilium.Version); len(splits) > 0 && cilium < sinceGAMMAIdentity {
		needs = throughGateway(needs)
	}
	return needs
}

// throughGateway makes flows arrive from the gateway, where Cilium's Envoy lets a GAMMA split's traffic do so.
func throughGateway(needs []need) []need {
	var all []need
	for _, n := range needs {
		arriving := n
		arriving.from = gatewayEnd()
		n.sending = true
		all = append(all, n, arriving)
	}
	return all
}

// toService are the flows to the pods behind one port of a Service. A Service that is not known, or selects nobody, has none.
func (c *companion) toService(d directory, name mesh.Name, port int32) []need {
	service, ok := d.service(name)
	if !ok || len(service.Selector) == 0 {
		return nil
	}
	to := end{
		name: fmt.Sprintf("the pods of Service %q (%s)", name.Name, name.Namespace), namespace: name.Namespace,
		object: name.Name, selector: service.Selector,
	}
	target := targetPort(service, port)
	pods := d.podsOf(name.Namespace, service.Selector)
	assumed := len(pods) == 0
	if assumed {
		pods = []mesh.PodSet{{Namespace: name.Namespace, Labels: service.Selector}}
	}
	var needs []need
	for _, set := range pods {
		number, ok := resolve(target, set)
		if !ok {
			continue
		}
		to.endpoint = &Endpoint{
			Namespace: set.Namespace, Labels: set.Labels, NamespaceLabels: d.view.Namespaces[set.Namespace],
			ServiceAccount: set.ServiceAccount, Ports: set.Ports,
		}
		needs = append(needs, need{from: c.end(), to: to, port: number, toApp: true, assumed: assumed})
	}
	return needs
}

// portsTo are the ports of all flows between the ends of one: a named target port may be another number in each pod. Sorted.
func (c *companion) portsTo(n need) []int32 {
	var ports []int32
	for _, o := range c.flows {
		if o.from.name == n.from.name && o.to.name == n.to.name {
			ports = append(ports, o.port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// targetPort is what a port of a Service leads to: a number, or a name that each pod resolves for itself.
func targetPort(service mesh.Service, port int32) intstr.IntOrString {
	i := slices.IndexFunc(service.Ports, func(p corev1.ServicePort) bool { return p.Port == port && p.Protocol != corev1.ProtocolUDP })
	if i < 0 || service.Ports[i].TargetPort == (intstr.IntOrString{}) {
		return intstr.FromInt32(port)
	}
	return service.Ports[i].TargetPort
}

// resolve is the number of a target port in one set of pods.
func resolve(target intstr.IntOrString, pods mesh.PodSet) (int32, bool) {
	if target.Type == intstr.Int {
		return target.IntVal, true
	}
	number, ok := pods.Ports[target.StrVal]
	return number, ok
}
