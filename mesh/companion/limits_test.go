// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// TestFlagsAreTheLimits holds what routes are warned by (mesh.LimitsOf) against the flags that companions run with.
func TestFlagsAreTheLimits(t *testing.T) {
	for _, dapr := range []map[string]string{
		nil,
		{"dapr.io/max-body-size": "16Mi", "dapr.io/read-buffer-size": "64Ki"},
		{"dapr.io/http-max-request-size": "2", "dapr.io/http-read-buffer-size": "8"},
		{"dapr.io/max-body-size": "10M", "dapr.io/http-max-request-size": "2", "dapr.io/read-buffer-size": "2Ki", "dapr.io/http-read-buffer-size": "8"},
	} {
		one, other := ingress(), whoami()
		one.Dapr, other.Dapr = dapr, dapr
		limits := mesh.LimitsOf(one, other)
		flags := strings.Fields(string(manifest(t, gateway(func(i *mesh.Ingress, _ *companion.Input) { i.Dapr = dapr }))))
		if got := flagBytes(t, flags, "--max-body-size"); got != limits.Body {
			t.Errorf("%v: --max-body-size is %d, the limit %d", dapr, got, limits.Body)
		}
		if got := flagBytes(t, flags, "--read-buffer-size"); got != limits.Headers {
			t.Errorf("%v: --read-buffer-size is %d, the limit %d", dapr, got, limits.Headers)
		}
		flags = strings.Fields(string(manifest(t, app(func(a *mesh.App, _ *companion.Input) { a.Dapr = dapr }))))
		if got := flagBytes(t, flags, "--max-body-size"); got != limits.Body {
			t.Errorf("%v: --max-body-size of the app's companion is %d, the limit %d", dapr, got, limits.Body)
		}
	}
}

func flagBytes(t *testing.T, flags []string, name string) int64 {
	t.Helper()
	for _, flag := range flags {
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			q, err := resource.ParseQuantity(value)
			if err != nil {
				t.Fatal(fmt.Errorf("%s: %w", flag, err))
			}
			return q.Value()
		}
	}
	t.Fatalf("no %s among %v", name, flags)
	return 0
}
