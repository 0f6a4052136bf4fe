// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"encoding/json"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh/rawjson"
)

// RouteObject is what decisions read of a route, as an HTTPRoute and a GRPCRoute write it alike.
type RouteObject struct {
	Name, Namespace string
	Annotations     map[string]string
	// Deleted says that the route is being deleted.
	Deleted    bool
	ParentRefs []gatewayv1.ParentReference
	Rules      []RouteObjectRule
}

// RouteObjectRule is what decisions read of one rule.
type RouteObjectRule struct {
	Filters     []gatewayv1.HTTPRouteFilter
	BackendRefs []gatewayv1.HTTPBackendRef
}

// ObjectOfHTTPRoute shares what it holds with the route.
func ObjectOfHTTPRoute(route *gatewayv1.HTTPRoute) *RouteObject {
	r := &RouteObject{
		Name: route.Name, Namespace: route.Namespace, Annotations: route.Annotations, Deleted: route.DeletionTimestamp != nil,
		ParentRefs: route.Spec.ParentRefs,
	}
	for i := range route.Spec.Rules {
		r.Rules = append(r.Rules, RouteObjectRule{route.Spec.Rules[i].Filters, route.Spec.Rules[i].BackendRefs})
	}
	return r
}

// ObjectOfGRPCRoute is ObjectOfHTTPRoute for a GRPCRoute.
func ObjectOfGRPCRoute(route *gatewayv1.GRPCRoute) *RouteObject {
	r := &RouteObject{
		Name: route.Name, Namespace: route.Namespace, Annotations: route.Annotations, Deleted: route.DeletionTimestamp != nil,
		ParentRefs: route.Spec.ParentRefs,
	}
	for i := range route.Spec.Rules {
		rule := RouteObjectRule{Filters: httpFilters(route.Spec.Rules[i].Filters)}
		for _, ref := range route.Spec.Rules[i].BackendRefs {
			rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref.BackendRef, Filters: httpFilters(ref.Filters)})
		}
		r.Rules = append(r.Rules, rule)
	}
	return r
}

// Destinations are the namespaces that the route sends to: of apps that it invokes, of Services that it names otherwise, as backends, mirrors
// or parents. Sorted, each once. That of an ingress companion on the way to an app is none.
func (r *RouteObject) Destinations() []string {
	n := Need{}
	for _, parent := range r.ParentRefs {
		if parent.Kind != nil && *parent.Kind == KindService {
			n.addParent(r.Namespace, parent)
		}
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		n.addHTTPFilters(r.Namespace, rule.Filters)
		for b := range rule.BackendRefs {
			ref := &rule.BackendRefs[b]
			n.addHTTPFilters(r.Namespace, ref.Filters)
			if _, ok := BackendInvocation(rule.Filters, ref.Filters); !ok {
				n.addBackend(r.Namespace, ref.BackendObjectReference)
			}
		}
	}
	return n.tidy().Namespaces
}

// ReadRoute reads a route's JSON, of which it skips what no decision asks for. An error means that what it reads does not fit.
func ReadRoute(data []byte) (*RouteObject, error) {
	r := &RouteObject{}
	err := rawjson.EachField(data, func(key []byte, value json.RawMessage) error {
		switch string(key) {
		case "metadata":
			return r.ReadMetadata(value)
		case "spec":
			return rawjson.EachField(value, r.readSpec)
		}
		return nil
	})
	return r, err
}

// ReadMetadata reads name, namespace, annotations and whether the object is being deleted.
func (r *RouteObject) ReadMetadata(metadata json.RawMessage) error {
	return rawjson.EachField(metadata, r.readMetadata)
}

func (r *RouteObject) readMetadata(key []byte, value json.RawMessage) error {
	switch string(key) {
	case "name":
		return rawjson.Text(value, &r.Name)
	case "namespace":
		return rawjson.Text(value, &r.Namespace)
	case "annotations":
		r.Annotations = nil
		return rawjson.EachField(value, func(key []byte, value json.RawMessage) error {
			var text string
			if err := rawjson.Text(value, &text); err != nil {
				return err
			}
			if r.Annotations == nil {
				r.Annotations = map[string]string{}
			}
			r.Annotations[string(key)] = text
			return nil
		})
	case "deletionTimestamp":
		var at string
		err := rawjson.Text(value, &at)
		r.Deleted = at != ""
		return err
	}
	return nil
}

func (r *RouteObject) readSpec(key []byte, value json.RawMessage) (err error) {
	switch string(key) {
	case "parentRefs":
		r.ParentRefs, err = ReadParentRefs(value)
	case "rules":
		r.Rules = nil
		return rawjson.EachElement(value, func(element json.RawMessage) error {
			r.Rules = append(r.Rules, RouteObjectRule{})
			return rawjson.EachField(element, r.Rules[len(r.Rules)-1].read)
		})
	}
	return err
}

func (r *RouteObjectRule) read(key []byte, value json.RawMessage) (err error) {
	switch string(key) {
	case "filters":
		return rawjson.Decode(value, &r.Filters)
	case "backendRefs":
		r.BackendRefs, err = ReadBackendRefs(value)
	}
	return err
}
