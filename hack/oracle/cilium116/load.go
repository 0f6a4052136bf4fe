// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cilium/cilium/pkg/k8s"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_networkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/policy/api"

	"github.com/daprise/daprise/hack/oracle/wire"
)

// load adds an object, or says why Cilium does not accept it.
func (e *engine) load(o wire.Object) error {
	if o.Kind == wire.KindCIDRGroup {
		var group wire.Group
		if err := json.Unmarshal(o.Body, &group); err != nil {
			return fmt.Errorf("decode group: %w", err)
		}
		e.groups = append(e.groups, group)
		return nil
	}
	rules, err := e.parse(o)
	if err != nil {
		return err
	}
	e.repo.MustAddList(rules)
	return nil
}

// parse reads a policy as the agent does.
func (e *engine) parse(o wire.Object) (api.Rules, error) {
	switch o.Kind {
	case wire.KindCNP:
		return rulesOf(o, &ciliumv2.CiliumNetworkPolicy{}, func(p *ciliumv2.CiliumNetworkPolicy) (api.Rules, error) {
			e.resolve(append(p.Specs, p.Spec))
			return p.Parse()
		})
	case wire.KindCCNP:
		return rulesOf(o, &ciliumv2.CiliumClusterwideNetworkPolicy{}, func(p *ciliumv2.CiliumClusterwideNetworkPolicy) (api.Rules, error) {
			e.resolve(append(p.Specs, p.Spec))
			return p.Parse()
		})
	default:
		var np slim_networkingv1.NetworkPolicy
		if err := json.Unmarshal(o.Body, &np); err != nil {
			return nil, fmt.Errorf("decode NetworkPolicy: %w", err)
		}
		return k8s.ParseNetworkPolicy(&np)
	}
}

func rulesOf[T any](o wire.Object, into *T, parse func(*T) (api.Rules, error)) (api.Rules, error) {
	if err := json.Unmarshal(o.Body, into); err != nil {
		return nil, fmt.Errorf("decode %s: %w", o.Kind, err)
	}
	return parse(into)
}

// synced stands in for the reader of TLS Secrets.
type synced struct{}

func (synced) GetTLSContext(context.Context, *api.TLSContext, string) (ca, public, private string, err error) {
	return "", "", "", nil
}
