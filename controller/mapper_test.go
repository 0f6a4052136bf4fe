// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
)

// TestMapperWithoutServedKinds: an API server that serves nothing leaves the kinds known by their CRDs' own names.
func TestMapperWithoutServedKinds(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	mapper, err := Mapper(&rest.Config{Host: server.URL}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[kind]string{
		kindGateway: "gateways", kindHTTPRoute: "httproutes", kindGRPCRoute: "grpcroutes", kindReferenceGrant: "referencegrants",
		kindCiliumPolicy: "ciliumnetworkpolicies", kindClusterwidePolicy: "ciliumclusterwidenetworkpolicies",
		kindCIDRGroup:      "ciliumcidrgroups",
		ownedConfiguration: "configurations", ownedRedirect: "ciliumlocalredirectpolicies",
	} {
		gvk := kindsWatched()[k].gvk
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			t.Fatal(err)
		}
		if mapping.Resource.Resource != want {
			t.Errorf("%s is %q, want %q", k, mapping.Resource.Resource, want)
		}
		if namespaced := mapping.Scope.Name() == "namespace"; namespaced != (k != kindClusterwidePolicy && k != kindCIDRGroup) {
			t.Errorf("%s: namespaced is %t", k, namespaced)
		}
	}
}
