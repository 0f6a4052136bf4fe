// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"

	"github.com/daprise/daprise/mesh"
)

func TestLimitsOf(t *testing.T) {
	for _, c := range []struct {
		name         string
		ingress, app map[string]string
		want         mesh.RequestLimits
	}{
		{"defaults", nil, nil, mesh.RequestLimits{Body: 4 << 20, Headers: 32 << 10}},
		{"the lesser body counts", map[string]string{"dapr.io/max-body-size": "8Mi"}, nil, mesh.RequestLimits{Body: 4 << 20, Headers: 32 << 10}},
		{"the older keys", map[string]string{"dapr.io/http-max-request-size": "6", "dapr.io/http-read-buffer-size": "64"},
			map[string]string{"dapr.io/max-body-size": "10M"}, mesh.RequestLimits{Body: 6 << 20, Headers: 64 << 10}},
		{"the newer keys outweigh them", map[string]string{"dapr.io/read-buffer-size": "16Ki", "dapr.io/http-read-buffer-size": "64"}, nil,
			mesh.RequestLimits{Body: 4 << 20, Headers: 16 << 10}},
		{"headers at the app's companion are not limited", nil, map[string]string{"dapr.io/read-buffer-size": "1Ki"},
			mesh.RequestLimits{Body: 4 << 20, Headers: 32 << 10}},
		{"what means nothing", map[string]string{"dapr.io/max-body-size": "much"}, nil, mesh.RequestLimits{Body: 4 << 20, Headers: 32 << 10}},
	} {
		if got := mesh.LimitsOf(mesh.Ingress{Dapr: c.ingress}, mesh.App{Dapr: c.app}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
