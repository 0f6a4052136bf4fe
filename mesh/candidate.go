// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Candidate is what one object comes to among others.
type Candidate struct {
	// App or Ingress is what the object is enrolled as, alone or with others that agree; both are nil if it is not.
	App     *App
	Ingress *Ingress
	// Findings are those about the object itself.
	Findings []Finding
}

// ID is the app ID that the object is enrolled with, or empty.
func (c Candidate) ID() string {
	switch {
	case c.App != nil:
		return c.App.ID
	case c.Ingress != nil:
		return c.Ingress.ID
	default:
		return ""
	}
}

// Consider is what a Service, Deployment or Gateway would come to if it were stored now, in place of its older version, if any. It
// counts as the youngest: what it claims anew from an object that has it is refused to it, however old it is. Compare the new version
// with the old one by Provoked to tell that from what was so before. It does not modify its arguments. An object that is being deleted,
// or that is of another type, comes to nothing.
func Consider(objects Objects, config Config, object metav1.Object) Candidate {
	object, self, ok := youngest(object)
	if !ok {
		return Candidate{}
	}
	r := &resolver{objects: objects.In(self.Namespace).With(object).around(object).sorted(), config: config}
	var candidate Candidate
	for _, c := range r.claims() {
		if slices.ContainsFunc(c.members, func(m member) bool { return m.object == self }) {
			candidate.App, candidate.Ingress = c.app, c.ingress
		}
	}
	SortFindings(r.findings)
	for _, f := range r.findings {
		if f.Object == self {
			candidate.Findings = append(candidate.Findings, f)
		}
	}
	return candidate
}

// youngest is a copy of an object that has no age.
func youngest(object metav1.Object) (metav1.Object, Object, bool) {
	switch o := object.(type) {
	case *corev1.Service:
		o = o.DeepCopy()
		o.CreationTimestamp = metav1.Time{}
		return o, objectOfService(o), true
	case *appsv1.Deployment:
		o = o.DeepCopy()
		o.CreationTimestamp = metav1.Time{}
		return o, objectOfDeployment(o), true
	case *gatewayv1.Gateway:
		o = o.DeepCopy()
		o.CreationTimestamp = metav1.Time{}
		return o, objectOfGateway(o), true
	default:
		return nil, Object{}, false
	}
}

// Provoked are the findings of a new version of an object with those that already held for the old one turned into warnings: an update
// is refused for what it makes wrong, never for what was wrong before it. Controllers write to users' objects too (the revision of a
// Deployment, an address of a Service), and a world that changed around an object must not stop them. It does not modify its arguments.
func Provoked(before, after []Finding) []Finding {
	provoked := slices.Clone(after)
	for i, f := range provoked {
		held := slices.ContainsFunc(before, func(b Finding) bool {
			return b.Code == f.Code && b.Field == f.Field && b.Message == f.Message
		})
		if held && f.Severity == Deny {
			provoked[i].Severity = Warn
		}
	}
	return provoked
}
