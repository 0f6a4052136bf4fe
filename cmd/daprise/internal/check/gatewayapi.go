// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
)

// bundleVersion is the annotation by which Gateway API's CRDs tell their release.
const bundleVersion = "gateway.networking.k8s.io/bundle-version"

// gatewayFacts is what was read of Gateway API.
type gatewayFacts struct {
	missing []string
	bundle  string
	classes []*gatewayv1.GatewayClass
}

func gatewayAPI(ctx context.Context, c *Cluster) ([]Line, error) {
	var f gatewayFacts
	for _, kinds := range []struct {
		version string
		names   []string
	}{
		{"v1", []string{mesh.KindGateway, mesh.KindHTTPRoute, mesh.KindGRPCRoute}},
		{"v1beta1", []string{"ReferenceGrant"}},
	} {
		missing, err := c.missing(schema.GroupVersion{Group: gatewayv1.GroupName, Version: kinds.version}, kinds.names...)
		if err != nil {
			return nil, err
		}
		f.missing = append(f.missing, missing...)
	}
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	if _, err := c.get(ctx, client.ObjectKey{Name: "gateways." + gatewayv1.GroupName}, definition); err != nil {
		return nil, err
	}
	f.bundle = definition.Annotations[bundleVersion]
	var err error
	f.classes, err = live.List[*gatewayv1.GatewayClass](ctx, c.client, &gatewayv1.GatewayClassList{})
	return judgeGatewayAPI(f), err
}

func judgeGatewayAPI(f gatewayFacts) []Line {
	if len(f.missing) > 0 {
		return []Line{hinted(Fail, "the API server does not serve "+strings.Join(f.missing, ", "), "Install the CRDs of Gateway API, v1.2 or later.")}
	}
	lines := []Line{ok("%s", f.bundle)}
	if f.bundle == "" {
		lines = []Line{ok("its release is not known: CRD gateways.%s has no annotation %s", gatewayv1.GroupName, bundleVersion)}
	}
	accepted := slices.IndexFunc(f.classes, func(g *gatewayv1.GatewayClass) bool {
		return meta.IsStatusConditionTrue(g.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted))
	})
	if accepted < 0 {
		return append(lines, hinted(Warn, "no GatewayClass is accepted: no Gateway serves", "See that the gateway's controller runs, and kubectl describe gatewayclasses."))
	}
	class := f.classes[accepted]
	return append(lines, ok("GatewayClass %s is accepted by %s", class.Name, class.Spec.ControllerName))
}
