// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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
	Apps      []App
	Ingresses []Ingress
	// Findings say why an annotated object is not enrolled, or warn; each names its object.
	Findings []Finding
}

// Enrol resolves enrolments. It is the one place that decides what an annotation means. It does not modify its arguments.
// An object with a denying finding yields no App or Ingress. Of two enrolments of one app ID in a namespace the older one
// (creationTimestamp, then name) stands and the other gets DPR304.
func Enrol(objects Objects, config Config) Enrolled {
	return Enrolled{}
}
