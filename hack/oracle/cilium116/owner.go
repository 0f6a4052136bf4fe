// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/sirupsen/logrus"

	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/u8proto"
)

// owner is the endpoint whose policy is computed. The named ports are those of the flow's destination, at either end. realized are the
// proxy's ports: a redirect without one Cilium leaves out of the datapath's map.
type owner struct {
	id       uint64
	ports    map[string]uint16
	realized map[string]uint16
}

func (o owner) GetID() uint64 { return o.id }

func (o owner) LookupRedirectPort(ingress bool, protocol string, port uint16, listener string) (uint16, error) {
	return o.realized[policy.ProxyID(uint16(o.id), ingress, protocol, port, listener)], nil
}

func (o owner) GetRealizedRedirects() map[string]uint16 { return o.realized }

func (owner) HasBPFPolicyMap() bool { return true }

func (o owner) GetNamedPort(_ bool, name string, protocol uint8) uint16 {
	if u8proto.U8proto(protocol) != u8proto.TCP {
		return 0
	}
	return o.ports[name]
}

func (owner) PolicyDebug(logrus.Fields, string) {}

func (owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}

// realize gives each redirect to the proxy a port there.
func (o owner) realize(filters policy.L4PolicyMap) {
	filters.ForEach(func(filter *policy.L4Filter) bool {
		port := filter.Port
		if port == 0 && filter.PortName != "" {
			port = o.GetNamedPort(filter.Ingress, filter.PortName, uint8(filter.U8Proto))
		}
		for _, selected := range filter.PerSelectorPolicies {
			if selected.IsRedirect() {
				o.realized[policy.ProxyID(uint16(o.id), filter.Ingress, string(filter.Protocol), port, selected.GetListener())] = 10000
			}
		}
		return true
	})
}
