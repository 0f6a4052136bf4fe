// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Mapper is the manager's RESTMapper: what the API server says, and for the kinds of Gateway API, Cilium and Dapr what is known of
// them where it does not serve them yet. Without the second a cache that selects among such a kind cannot be made, and daprise could
// not start before they are installed (controller-runtime pkg/cache, defaultOpts).
func Mapper(config *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	served, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, fmt.Errorf("make the RESTMapper: %w", err)
	}
	known := meta.NewDefaultRESTMapper(nil)
	for k, f := range kindsWatched() {
		scope := meta.RESTScopeNamespace
		if k == kindClusterwidePolicy || k == kindCIDRGroup || k == kindEarlierGroup || k == kindNamespace {
			scope = meta.RESTScopeRoot
		}
		singular := strings.ToLower(f.gvk.Kind)
		plural := singular + "s"
		if stem, ok := strings.CutSuffix(singular, "policy"); ok {
			plural = stem + "policies"
		}
		known.AddSpecific(f.gvk, f.gvk.GroupVersion().WithResource(plural), f.gvk.GroupVersion().WithResource(singular), scope)
	}
	return meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{served, known}}, nil
}
