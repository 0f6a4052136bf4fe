// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// around are those of the objects of one namespace on which it can depend what one of them comes to: those that may claim its app ID, or stand
// behind one Service with it, and what they depend on in turn. In a namespace of a thousand apps these are few. An object too many is no fault,
// one too few is. It does not modify its argument.
func (o Objects) around(object metav1.Object) Objects {
	n := &neighbours{ids: map[string]bool{}, all: Objects{
		Services:    slices.DeleteFunc(slices.Clone(o.Services), func(s *corev1.Service) bool { return metav1.Object(s) == object }),
		Deployments: slices.DeleteFunc(slices.Clone(o.Deployments), func(d *appsv1.Deployment) bool { return metav1.Object(d) == object || !speaks(d) }),
		Gateways:    slices.DeleteFunc(slices.Clone(o.Gateways), func(g *gatewayv1.Gateway) bool { return metav1.Object(g) == object }),
	}}
	switch object := object.(type) {
	case *corev1.Service:
		n.service(object)
	case *appsv1.Deployment:
		n.deployment(object)
	case *gatewayv1.Gateway:
		n.gateway(object)
	}
	for before := -1; before < n.size(); {
		before = n.size()
		n.grow()
	}
	return n.found
}

// speaks says whether a Deployment has a part in enrolments at all: it asks for one, or for a sidecar.
func speaks(d *appsv1.Deployment) bool {
	if _, sidecar := sidecar(d); sidecar {
		return true
	}
	for key := range d.Annotations {
		if strings.HasPrefix(key, Prefix) {
			return true
		}
	}
	return false
}

// neighbours are found step by step.
type neighbours struct {
	all, found Objects
	// ids are the app IDs that those found may claim.
	ids map[string]bool
}

func (n *neighbours) size() int {
	return len(n.found.Services) + len(n.found.Deployments) + len(n.found.Gateways)
}

// grow finds those that have to do with one that was found.
func (n *neighbours) grow() {
	n.all.Services = taken(n.all.Services, func(s *corev1.Service) bool {
		return n.claimed(s.Name, s.Annotations[AnnotationAppID]) || slices.ContainsFunc(n.found.Deployments, func(d *appsv1.Deployment) bool { return behind(s, d) })
	}, n.service)
	n.all.Deployments = taken(n.all.Deployments, func(d *appsv1.Deployment) bool {
		return n.claimed(d.Annotations[AnnotationAppID]) || slices.ContainsFunc(n.found.Services, func(s *corev1.Service) bool { return behind(s, d) })
	}, n.deployment)
	n.all.Gateways = taken(n.all.Gateways, func(g *gatewayv1.Gateway) bool { return n.claimed(g.Name+"-ingress", g.Annotations[AnnotationAppID]) }, n.gateway)
}

// behind says whether a Deployment may stand behind a Service: it is selected, or it says so.
func behind(s *corev1.Service, d *appsv1.Deployment) bool {
	return d.Annotations[AnnotationService] == s.Name || selects(s, d)
}

// taken hands those of a list to add that fit, and returns the others.
func taken[T any](list []T, fits func(T) bool, add func(T)) []T {
	return slices.DeleteFunc(list, func(object T) bool {
		if !fits(object) {
			return false
		}
		add(object)
		return true
	})
}

// A Service stands for its name even if its annotation says otherwise: a Deployment behind it takes the name for its default.
func (n *neighbours) service(s *corev1.Service) {
	n.found.Services = append(n.found.Services, s)
	n.claim(s.Name, s.Annotations[AnnotationAppID])
}

func (n *neighbours) deployment(d *appsv1.Deployment) {
	n.found.Deployments = append(n.found.Deployments, d)
	n.claim(d.Annotations[AnnotationAppID])
}

func (n *neighbours) gateway(g *gatewayv1.Gateway) {
	n.found.Gateways = append(n.found.Gateways, g)
	n.claim(g.Name+"-ingress", g.Annotations[AnnotationAppID])
}

func (n *neighbours) claim(ids ...string) {
	for _, id := range ids {
		if id != "" {
			n.ids[id] = true
		}
	}
}

func (n *neighbours) claimed(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return n.ids[id] })
}
