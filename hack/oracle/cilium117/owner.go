// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/sirupsen/logrus"

	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/spanstat"
	"github.com/cilium/cilium/pkg/u8proto"
)

// owner is the endpoint whose policy is computed. The named ports are those of the flow's destination, at either end.
type owner struct {
	id    uint64
	ports map[string]uint16
}

func (o owner) GetID() uint64 { return o.id }

func (o owner) GetNamedPort(_ bool, name string, protocol u8proto.U8proto) uint16 {
	if protocol != u8proto.TCP {
		return 0
	}
	return o.ports[name]
}

func (owner) PolicyDebug(logrus.Fields, string) {}

func (owner) IsHost() bool { return false }

func (owner) MapStateSize() int { return 0 }

func (owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}

// redirects gives each redirect to the proxy a port there: without one Cilium leaves the rule out of the datapath's map.
func (o owner) redirects(p policy.SelectorPolicy) map[string]uint16 {
	ports := map[string]uint16{}
	for filter, selected := range p.RedirectFilters() {
		port := filter.Port
		if port == 0 && filter.PortName != "" {
			port = o.GetNamedPort(filter.Ingress, filter.PortName, filter.U8Proto)
		}
		ports[policy.ProxyID(uint16(o.id), filter.Ingress, string(filter.Protocol), port, selected.GetListener())] = 10000
	}
	return ports
}

// statistics are kept by nobody.
type statistics struct{ waiting, calculation spanstat.SpanStat }

func (s *statistics) WaitingForPolicyRepository() *spanstat.SpanStat { return &s.waiting }

func (s *statistics) PolicyCalculation() *spanstat.SpanStat { return &s.calculation }
