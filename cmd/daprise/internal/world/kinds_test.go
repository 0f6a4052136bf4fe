// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
)

func TestDecodeOfWhatDoesNotFit(t *testing.T) {
	for _, tc := range []struct{ name, data, want string }{
		{
			name: "another type",
			data: `{"metadata":{"name":7}}`,
			want: "does not fit its kind: metadata.name is of type number where string is meant",
		},
		{
			name: "an ICMP field without a type",
			data: `{"spec":{"endpointSelector":{},"ingress":[{"icmps":[{"fields":[{"family":"IPv4"}]}]}]}}`,
			want: "does not fit its kind: its decoder failed: runtime error: invalid memory address or nil pointer dereference",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(&ciliumv2.CiliumNetworkPolicy{}, []byte(tc.data))
			if !errors.Is(err, errUnfit) || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}
