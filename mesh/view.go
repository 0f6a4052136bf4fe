// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// View is the part of a cluster that one decision needs, as plain values. A test writes one as a literal. Policies travel beside
// it, compiled (mesh/policy), because they are compiled once per version and not once per request.
type View struct {
	Config Config
	Cilium Cilium
	// Namespaces holds the labels of each namespace that is concerned. A namespace that is not in it counts as one without labels.
	Namespaces map[string]map[string]string
	// Terminating are those of the namespaces that are being deleted.
	Terminating []string
	// Objects are what Apps and Ingresses were resolved from. Admission puts the object of a request in its place among them.
	Objects Objects
	// Apps and Ingresses are the valid enrolments of the namespaces concerned.
	Apps      []App
	Ingresses []Ingress
	// Services are the Services, enrolled or not, that the decision refers to by name or by selector.
	Services []Service
	// Routes tells which ingress companions route to which apps, from the routes as they are stored.
	Routes []RouteTarget
	// Through counts, for ingresses that a narrow Need names, the stored routes of the whole cluster that invoke apps through them, as it
	// was a moment ago.
	Through []IngressRoutes
	// Pods are the pods of the namespaces asked for, as network policy sees them. Where none is known of an app, its Service's selector
	// stands for them.
	Pods []PodSet
	// ServiceSplits are where GAMMA routes send what companions send to their apps' Services.
	ServiceSplits []ServiceSplit
	// Grants are the ReferenceGrants of the namespaces concerned.
	Grants []Grant
	// CompanionServices are the Services that daprise made, by name, also those of an app that is leaving.
	CompanionServices []Name
	// Configurations are Dapr's Configurations in the namespaces concerned that users wrote.
	Configurations []Configuration
	// AppIDs are the app IDs of the whole cluster, sorted, as they were a moment ago; none where Apps and Ingresses are those of every namespace.
	AppIDs []string
	// Foreign are objects in the namespaces concerned that bear the name of an object that a companion has or would have there, of the
	// same kind, and that daprise did not make.
	Foreign []Object
	// Missing are the kinds that the API server does not serve ("CiliumNetworkPolicy"), sorted: none of their objects can be known.
	Missing []string
}

// IngressRoutes are the apps that stored routes invoke through an ingress. They are shared and not modified.
type IngressRoutes struct {
	Ingress AppRef
	// Apps are each there once, sorted as they are written (AppRef.String).
	Apps []AppRoutes
}

// AppRoutes is how many routes invoke an app.
type AppRoutes struct {
	App    AppRef
	Routes int
}

// Cilium is what is known of the Cilium that enforces policy, from its ConfigMap cilium-config.
type Cilium struct {
	// Version is "1.20.2" or empty where it could not be learned.
	Version string
	// Cluster is the name that Cilium knows this cluster by, or empty where it was given none.
	Cluster string
	// Encrypts says that what nodes send to each other is encrypted, by WireGuard or IPsec; Authenticates that policies can ask for mutual
	// authentication; LocalRedirects that CiliumLocalRedirectPolicies count.
	Encrypts, Authenticates, LocalRedirects bool
	// AnyCluster says that selectors which say nothing of the cluster are those of every cluster of a mesh, which this one is in.
	AnyCluster bool
	// Unmodelled names settings whose value makes verdicts differ from what mesh/policy models ("enable-policy=always").
	Unmodelled []string
}

// Service is what decisions read of a Service.
type Service struct {
	Name     Name
	Type     corev1.ServiceType
	Selector map[string]string
	Ports    []corev1.ServicePort
}

// RouteTarget says that a stored route sends traffic through an ingress companion to an app.
type RouteTarget struct {
	Route   Object
	Ingress AppRef
	App     AppRef
}

// Grant is one permission of a ReferenceGrant: routes of a kind and namespace may refer to Services of the grant's namespace.
type Grant struct {
	// Namespace holds the grant and the Services that may be referred to.
	Namespace string
	// FromKind and FromNamespace say whose routes: "HTTPRoute", "shop".
	FromKind      string
	FromNamespace string
	// Service is the one Service that may be referred to, or empty for every Service of the namespace.
	Service string
}

// App finds an enrolled app by namespace and app ID.
func (v *View) App(ref AppRef) (App, bool) {
	for i := range v.Apps {
		if v.Apps[i].AppRef == ref {
			return v.Apps[i], true
		}
	}
	return App{}, false
}

// AppOfService finds the enrolled app behind a Service.
func (v *View) AppOfService(name Name) (App, bool) {
	for i := range v.Apps {
		if v.Apps[i].Service == name.Name && v.Apps[i].Namespace == name.Namespace {
			return v.Apps[i], true
		}
	}
	return App{}, false
}

// Ingress finds an enrolled Gateway by its namespace and app ID.
func (v *View) Ingress(ref AppRef) (Ingress, bool) {
	for i := range v.Ingresses {
		if v.Ingresses[i].AppRef == ref {
			return v.Ingresses[i], true
		}
	}
	return Ingress{}, false
}

// IngressOfGateway finds the ingress of a Gateway by the Gateway's name.
func (v *View) IngressOfGateway(name Name) (Ingress, bool) {
	i := slices.IndexFunc(v.Ingresses, func(g Ingress) bool { return g.Namespace == name.Namespace && g.Gateway == name.Name })
	if i < 0 {
		return Ingress{}, false
	}
	return v.Ingresses[i], true
}

// Service finds a Service of the View by name.
func (v *View) Service(name Name) (Service, bool) {
	for i := range v.Services {
		if v.Services[i].Name == name {
			return v.Services[i], true
		}
	}
	return Service{}, false
}

// IsCompanionService says whether a Service name belongs to a companion: one that exists, or one that an enrolled app or ingress
// of the View will get.
func (v *View) IsCompanionService(name Name) bool {
	if slices.Contains(v.CompanionServices, name) {
		return true
	}
	for i := range v.Ingresses {
		if v.Ingresses[i].Namespace == name.Namespace && v.frontName(&v.Ingresses[i], name.Name) {
			return true
		}
	}
	for i := range v.Apps {
		if a := &v.Apps[i]; a.Namespace == name.Namespace && (CompanionName(a.ID) == name.Name || APIServiceName(a.ID) == name.Name) {
			return true
		}
	}
	return false
}

// frontName says whether a name is that of a Service in front of an ingress companion, for all apps or for one.
func (v *View) frontName(g *Ingress, name string) bool {
	if CompanionName(g.ID) == name {
		return true
	}
	// Every such name contains "-dapr-to-" unless it was cut: most names need no comparison with those of all apps.
	if rest, ok := strings.CutPrefix(name, g.ID); len(name) < MaxName && (!ok || !strings.HasPrefix(rest, "-dapr-to-")) {
		return false
	}
	return slices.ContainsFunc(v.Apps, func(a App) bool { return SplitServiceName(g.AppRef, a.AppRef) == name })
}

// Granted says whether a route of a kind and namespace may refer to a Service: in its own namespace always, elsewhere with a
// ReferenceGrant (Gateway API, ReferenceGrant).
func (v *View) Granted(fromKind, fromNamespace string, service Name) bool {
	if fromNamespace == service.Namespace {
		return true
	}
	return slices.ContainsFunc(v.Grants, func(g Grant) bool {
		return g.Namespace == service.Namespace && g.FromKind == fromKind && g.FromNamespace == fromNamespace &&
			(g.Service == "" || g.Service == service.Name)
	})
}
