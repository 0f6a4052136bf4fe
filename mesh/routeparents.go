// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// RouteParents says what a route attaches to, by the kind of its parentRefs: each object once, in the order of the route.
type RouteParents struct {
	Gateways     []Name
	Services     []Name
	ListenerSets []Name
	// Others counts parentRefs of any other kind.
	Others int
}

// Parents resolves parentRefs with the defaults of the Gateway API: kind Gateway, the route's own namespace. Parts of one parent
// (sectionName, port) are one parent.
func Parents(namespace string, refs []gatewayv1.ParentReference) RouteParents {
	var parents RouteParents
	for i := range refs {
		ref := &refs[i]
		name := Name{Namespace: namespace, Name: string(ref.Name)}
		if ref.Namespace != nil {
			name.Namespace = string(*ref.Namespace)
		}
		group, kind := gatewayv1.GroupName, "Gateway"
		if ref.Group != nil {
			group = string(*ref.Group)
		}
		if ref.Kind != nil {
			kind = string(*ref.Kind)
		}
		switch {
		case group == gatewayv1.GroupName && kind == "Gateway":
			parents.Gateways = appendName(parents.Gateways, name)
		case group == "" && kind == "Service":
			parents.Services = appendName(parents.Services, name)
		case kind == "ListenerSet" || kind == "XListenerSet":
			parents.ListenerSets = appendName(parents.ListenerSets, name)
		default:
			parents.Others++
		}
	}
	return parents
}

func appendName(names []Name, name Name) []Name {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// BackendService resolves a backendRef of a route: the Service it names, or false if it names another kind.
func BackendService(namespace string, ref gatewayv1.BackendObjectReference) (Name, bool) {
	if ref.Group != nil && *ref.Group != "" || ref.Kind != nil && *ref.Kind != "Service" {
		return Name{}, false
	}
	name := Name{Namespace: namespace, Name: string(ref.Name)}
	if ref.Namespace != nil {
		name.Namespace = string(*ref.Namespace)
	}
	return name, true
}
