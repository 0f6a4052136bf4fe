// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/k8s"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim_networkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/policy/utils"
	cilium "github.com/cilium/proxy/go/cilium/api"
	networkingv1 "k8s.io/api/networking/v1"
)

// entriesOf parses an object as the agent does.
func entriesOf(log *slog.Logger, object any) (policytypes.PolicyEntries, error) {
	switch o := object.(type) {
	case *ciliumv2.CiliumNetworkPolicy:
		rules, err := o.DeepCopy().Parse(log, Cluster)
		return utils.RulesToPolicyEntries(rules), err
	case *ciliumv2.CiliumClusterwideNetworkPolicy:
		rules, err := o.DeepCopy().Parse(log, Cluster)
		return utils.RulesToPolicyEntries(rules), err
	case *networkingv1.NetworkPolicy:
		data, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("encode NetworkPolicy: %w", err)
		}
		var slim slim_networkingv1.NetworkPolicy
		if err := json.Unmarshal(data, &slim); err != nil {
			return nil, fmt.Errorf("decode NetworkPolicy: %w", err)
		}
		return k8s.ParseNetworkPolicy(log, Cluster, &slim)
	default:
		return nil, fmt.Errorf("no policy: %T", object)
	}
}

// noRules stands in for the translation of HTTP rules to Envoy's: verdicts do not depend on it.
type noRules struct{}

func (noRules) GetEnvoyHTTPRules(*api.L7Rules, string) (*cilium.HttpNetworkPolicyRules, bool) {
	return nil, false
}

var _ envoypolicy.EnvoyL7RulesTranslator = noRules{}

// synced stands in for the reader of TLS Secrets. Cilium hands Secrets to Envoy by name, so that a missing one changes no verdict
// (pkg/crypto/certificatemanager, policy-secrets-only-from-secrets-namespace).
type synced struct{}

func (synced) GetTLSContext(context.Context, *api.TLSContext, string) (ca, public, private string, inline bool, err error) {
	return "", "", "", false, nil
}
