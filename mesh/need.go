// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh/rawjson"
)

// InvokePath begins the path of Dapr's service invocation API: "/v1.0/invoke/<app-id>.<namespace>/method".
const InvokePath = "/v1.0/invoke/"

// HeaderAppID names the target app in the header form of Dapr's service invocation.
const HeaderAppID = "dapr-app-id"

// Need says what one decision has to know of the cluster, before anything was read. Whoever loads a View may load more than it asks
// for and has to add what follows from what it finds (the ingresses of routes that target an app there, for example). Everything is
// sorted and unique, so that equal needs compare equal.
type Need struct {
	// Namespaces are those whose labels, enrolments, policies, grants and route targets are read.
	Namespaces []string
	// AllNamespaces widens Namespaces to every namespace that holds an enrolment: a clusterwide policy may select any companion.
	AllNamespaces bool
	// Gateways and Services are referred to by name. They need not exist.
	Gateways []Name
	Services []Name
	// Narrow says that of the routes that concern the Namespaces those are enough that send to Services and apps there. One route's decision does
	// not ask for what else goes through its Gateway, which may be every route of the cluster.
	Narrow bool
}

// Union is the Need of two decisions, or of an object and its older version. It does not modify its arguments.
func (n Need) Union(other Need) Need {
	return Need{
		Namespaces:    append(slices.Clone(n.Namespaces), other.Namespaces...),
		AllNamespaces: n.AllNamespaces || other.AllNamespaces,
		Gateways:      append(slices.Clone(n.Gateways), other.Gateways...),
		Services:      append(slices.Clone(n.Services), other.Services...),
		Narrow:        n.Narrow && other.Narrow,
	}.tidy()
}

// NeedOfHTTPRoute is what deciding about an HTTPRoute needs: its namespace, its parents, its backends, mirrors and external
// authorization, and, where it is already rewritten, the apps that its rules and its record of originals name. The record is read for namespaces only and trusted for
// nothing: what it makes us read decides nothing by itself.
func NeedOfHTTPRoute(route *gatewayv1.HTTPRoute) Need { return ObjectOfHTTPRoute(route).Need() }

// NeedOfGRPCRoute is NeedOfHTTPRoute for a GRPCRoute.
func NeedOfGRPCRoute(route *gatewayv1.GRPCRoute) Need { return ObjectOfGRPCRoute(route).Need() }

// Need is NeedOfHTTPRoute, or NeedOfGRPCRoute.
func (r *RouteObject) Need() Need {
	n := Need{Namespaces: []string{r.Namespace}, Narrow: true}
	for _, parent := range r.ParentRefs {
		n.addParent(r.Namespace, parent)
	}
	n.addRecord(r.Annotations[AnnotationOriginal])
	for i := range r.Rules {
		rule := &r.Rules[i]
		n.addHTTPFilters(r.Namespace, rule.Filters)
		for b := range rule.BackendRefs {
			n.addBackend(r.Namespace, rule.BackendRefs[b].BackendObjectReference)
			n.addHTTPFilters(r.Namespace, rule.BackendRefs[b].Filters)
		}
	}
	return n.tidy()
}

// NeedOfEnrolment is what deciding about a Service, Deployment or Gateway needs: its namespace and those of the callers it names.
func NeedOfEnrolment(object metav1.Object) Need {
	n := Need{Namespaces: []string{object.GetNamespace()}}
	for caller := range strings.SplitSeq(object.GetAnnotations()[AnnotationCallers], ",") {
		if _, namespace, ok := strings.Cut(strings.TrimSpace(caller), "."); ok {
			n.addNamespace(namespace)
		}
	}
	return n.tidy()
}

// NeedOfPolicy is what deciding about a network policy needs: its namespace, or every namespace for a clusterwide kind.
func NeedOfPolicy(policy metav1.Object) Need {
	if policy.GetNamespace() == "" {
		return Need{AllNamespaces: true}
	}
	return Need{Namespaces: []string{policy.GetNamespace()}}
}

// NeedOfNamespace is what deciding about a change of a namespace's labels needs. Policies elsewhere and clusterwide ones select peers
// by namespace labels, so the companions of every namespace may be concerned.
func NeedOfNamespace(name string) Need {
	return Need{Namespaces: []string{name}, AllNamespaces: true}
}

func (n *Need) addParent(routeNamespace string, ref gatewayv1.ParentReference) {
	name := Name{Namespace: routeNamespace, Name: string(ref.Name)}
	if ref.Namespace != nil {
		name.Namespace = string(*ref.Namespace)
	}
	kind := "Gateway"
	if ref.Kind != nil {
		kind = string(*ref.Kind)
	}
	switch kind {
	case "Gateway":
		n.Gateways = append(n.Gateways, name)
	case "Service":
		n.Services = append(n.Services, name)
	default:
		return
	}
	n.addNamespace(name.Namespace)
}

func (n *Need) addBackend(routeNamespace string, ref gatewayv1.BackendObjectReference) {
	if ref.Kind != nil && *ref.Kind != "Service" {
		return
	}
	name := Name{Namespace: routeNamespace, Name: string(ref.Name)}
	if ref.Namespace != nil {
		name.Namespace = string(*ref.Namespace)
	}
	n.Services = append(n.Services, name)
	n.addNamespace(name.Namespace)
}

func (n *Need) addHTTPFilters(routeNamespace string, filters []gatewayv1.HTTPRouteFilter) {
	for _, filter := range filters {
		if filter.RequestMirror != nil {
			n.addBackend(routeNamespace, filter.RequestMirror.BackendRef)
		}
		if filter.ExternalAuth != nil {
			n.addBackend(routeNamespace, filter.ExternalAuth.BackendRef)
		}
		if filter.URLRewrite != nil {
			n.addRewrite(filter.URLRewrite)
		}
		n.addHeaders(filter.RequestHeaderModifier)
	}
}

func (n *Need) addRewrite(rewrite *gatewayv1.HTTPURLRewriteFilter) {
	if rewrite.Path == nil {
		return
	}
	for _, value := range []*string{rewrite.Path.ReplacePrefixMatch, rewrite.Path.ReplaceFullPath} {
		if value == nil {
			continue
		}
		if rest, ok := strings.CutPrefix(*value, InvokePath); ok {
			target, _, _ := strings.Cut(rest, "/")
			n.addTarget(target)
		}
	}
}

func (n *Need) addHeaders(headers *gatewayv1.HTTPHeaderFilter) {
	if headers == nil {
		return
	}
	for _, header := range slices.Concat(headers.Set, headers.Add) {
		if strings.EqualFold(string(header.Name), HeaderAppID) {
			n.addTarget(header.Value)
		}
	}
}

// addTarget adds the namespace of Dapr's "app-id.namespace".
func (n *Need) addTarget(target string) {
	if _, namespace, ok := strings.Cut(target, "."); ok {
		n.addNamespace(namespace)
	}
}

// maxMention is how deep a record of originals is read, in objects and lists. A namespace in a filter of a backendRef is ten deep; whoever
// writes a route can write a record of any depth, and each level is read again for the one above it.
const maxMention = 16

// addRecord adds every namespace that the record of originals mentions, whatever its version: all values of keys "namespace". What cannot
// be read of it mentions nothing.
func (n *Need) addRecord(record string) {
	if record = strings.TrimSpace(record); record != "" {
		n.addMentioned([]byte(record), maxMention)
	}
}

func (n *Need) addMentioned(value json.RawMessage, depth int) {
	if depth == 0 {
		return
	}
	switch rawjson.At(value, 0) {
	case '{':
		_ = rawjson.EachField(value, func(key []byte, inner json.RawMessage) error {
			var namespace string
			if string(key) == "namespace" && rawjson.Text(inner, &namespace) == nil {
				n.addNamespace(namespace)
			}
			n.addMentioned(inner, depth-1)
			return nil
		})
	case '[':
		_ = rawjson.EachElement(value, func(inner json.RawMessage) error {
			n.addMentioned(inner, depth-1)
			return nil
		})
	}
}

func (n *Need) addNamespace(namespace string) {
	if namespace != "" {
		n.Namespaces = append(n.Namespaces, namespace)
	}
}

func (n Need) tidy() Need {
	slices.Sort(n.Namespaces)
	n.Namespaces = slices.Compact(n.Namespaces)
	n.Gateways = sortedNames(n.Gateways)
	n.Services = sortedNames(n.Services)
	return n
}

func sortedNames(names []Name) []Name {
	slices.SortFunc(names, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(names)
}
