// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/cilium/cilium/pkg/policy/api"

	"github.com/daprise/daprise/mesh"
)

// authenticated asks Cilium to authenticate both ends of F2, where companions leave encryption to it (dapr.encryption: cilium). Never ask
// for that where a peer may be reserved: such traffic is dropped for ever (DPR104; cilium pkg/auth/manager.go). Callers are companions.
func authenticated(view *mesh.View, rule api.IngressRule) api.IngressRule {
	if view.CiliumEncrypts() {
		rule.Authentication = &api.Authentication{Mode: api.AuthenticationModeRequired}
	}
	return rule
}
