// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// AdmitsRoutes says whether some listener of a Gateway admits routes of a kind from a namespace with these labels (Gateway API,
// AllowedRoutes): by default those of the Gateway's own namespace, and every kind that the listener's protocol can carry. A selector
// that cannot be read admits nobody. It does not modify its arguments.
func AdmitsRoutes(gateway *gatewayv1.Gateway, kind, namespace string, namespaceLabels map[string]string) bool {
	return slices.ContainsFunc(gateway.Spec.Listeners, func(l gatewayv1.Listener) bool {
		from, selector := fromOf(l)
		switch {
		case !admitsKind(l, kind):
			return false
		case from == gatewayv1.NamespacesFromSame:
			return namespace == gateway.Namespace
		case from == gatewayv1.NamespacesFromSelector:
			return selector.Matches(labels.Set(namespaceLabels))
		default:
			return from == gatewayv1.NamespacesFromAll
		}
	})
}

func admitsKind(l gatewayv1.Listener, kind string) bool {
	if l.Protocol != gatewayv1.HTTPProtocolType && l.Protocol != gatewayv1.HTTPSProtocolType {
		return false
	}
	if l.AllowedRoutes == nil || len(l.AllowedRoutes.Kinds) == 0 {
		return kind == KindHTTPRoute || kind == KindGRPCRoute
	}
	return slices.ContainsFunc(l.AllowedRoutes.Kinds, func(k gatewayv1.RouteGroupKind) bool {
		return (k.Group == nil || *k.Group == gatewayv1.GroupName) && string(k.Kind) == kind
	})
}

// fromOf is whose routes a listener admits, and which namespaces' where a selector says so.
func fromOf(l gatewayv1.Listener) (gatewayv1.FromNamespaces, labels.Selector) {
	if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil || l.AllowedRoutes.Namespaces.From == nil {
		return gatewayv1.NamespacesFromSame, labels.Nothing()
	}
	selector, err := metav1.LabelSelectorAsSelector(l.AllowedRoutes.Namespaces.Selector)
	if err != nil {
		selector = labels.Nothing()
	}
	return *l.AllowedRoutes.Namespaces.From, selector
}
