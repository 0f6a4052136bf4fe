// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Objects are the objects of a cluster, or of some of its namespaces, from which enrolments are resolved: the annotated Services,
// Deployments and Gateways, and the Services, annotated or not, that may select an annotated Deployment's pods.
type Objects struct {
	Services    []*corev1.Service
	Deployments []*appsv1.Deployment
	Gateways    []*gatewayv1.Gateway
}

// Enrolled is what Objects resolve to.
type Enrolled struct {
	// Apps and Ingresses are sorted by namespace and app ID.
	Apps      []App
	Ingresses []Ingress
	// Findings say why an annotated object is not enrolled; each names its object. They are in the order of SortFindings.
	Findings []Finding
}

// Enrol resolves enrolments. It is the one place that decides what an annotation means. It does not modify its arguments, and the order
// of objects does not matter; each object is in them once.
//
// An object with a denying finding yields no App or Ingress; one that is being deleted yields neither App nor finding. Of two enrolments
// of one app ID in a namespace the older one (creationTimestamp, then name; without a creationTimestamp an object is the youngest)
// stands and the other gets DPR304. Objects behind one Service (itself, and Deployments that it selects) are one enrolment if they
// agree: what only one of them says holds for all, and of two that disagree the older one stands and the other gets DPR302.
func Enrol(objects Objects, config Config) Enrolled {
	r := &resolver{objects: objects.sorted(), config: config}
	return r.enrolled(r.claims())
}

// resolver is one run of Enrol.
type resolver struct {
	objects  Objects
	config   Config
	findings []Finding
}

func (r *resolver) deny(f Finding) { r.findings = append(r.findings, f) }

// claims are all enrolments that stand, each with the objects that ask for it.
func (r *resolver) claims() []claim {
	members := append(r.serviceMembers(), r.deploymentMembers()...)
	claims := r.apps(members)
	for _, gateway := range r.objects.Gateways {
		if c, ok := r.ingress(gateway); ok {
			claims = append(claims, c)
		}
	}
	return r.settle(claims)
}

func (r *resolver) enrolled(claims []claim) Enrolled {
	var result Enrolled
	for _, c := range claims {
		if c.app != nil {
			result.Apps = append(result.Apps, *c.app)
		} else {
			result.Ingresses = append(result.Ingresses, *c.ingress)
		}
	}
	slices.SortFunc(result.Apps, func(a, b App) int { return compareRefs(a.AppRef, b.AppRef) })
	slices.SortFunc(result.Ingresses, func(a, b Ingress) int { return compareRefs(a.AppRef, b.AppRef) })
	SortFindings(r.findings)
	result.Findings = r.findings
	return result
}

func compareRefs(a, b AppRef) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
}

// With are the objects with one more, which takes the place of the one of its kind, namespace and name. The object is a *Service,
// *Deployment or *Gateway; of any other type it changes nothing. It does not modify its arguments.
func (o Objects) With(object metav1.Object) Objects {
	switch object := object.(type) {
	case *corev1.Service:
		o.Services = with(o.Services, object)
	case *appsv1.Deployment:
		o.Deployments = with(o.Deployments, object)
	case *gatewayv1.Gateway:
		o.Gateways = with(o.Gateways, object)
	}
	return o
}

func with[T metav1.Object](list []T, object T) []T {
	same := func(other T) bool {
		return other.GetNamespace() == object.GetNamespace() && other.GetName() == object.GetName()
	}
	return append(slices.DeleteFunc(slices.Clone(list), same), object)
}

// In are the objects of one namespace.
func (o Objects) In(namespace string) Objects {
	return Objects{
		Services:    in(o.Services, namespace),
		Deployments: in(o.Deployments, namespace),
		Gateways:    in(o.Gateways, namespace),
	}
}

func in[T metav1.Object](list []T, namespace string) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o.GetNamespace() != namespace })
}

// sorted are the objects that are not being deleted, in an order that does not depend on how they came.
func (o Objects) sorted() Objects {
	return Objects{Services: sorted(o.Services), Deployments: sorted(o.Deployments), Gateways: sorted(o.Gateways)}
}

func sorted[T metav1.Object](list []T) []T {
	list = slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o.GetDeletionTimestamp() != nil })
	slices.SortFunc(list, func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return list
}
