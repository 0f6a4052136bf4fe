// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// fit decides whether a Service can be enrolled, itself or for a Deployment: not one whose annotation could aim a companion's identity
// at something that the cluster does not check (ExternalName, no selector), not a companion's own, and not one without a TCP port.
func (r *resolver) fit(object Object, s *corev1.Service) bool {
	field, message := "", ""
	switch {
	case s.Labels[LabelManagedBy] == ManagedByDaprise && s.Labels[LabelName] == NameDaprShared:
		field, message = "metadata.labels["+LabelManagedBy+"]", "it is a companion's own Service"
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		field, message = "spec.type", "ExternalName would lead the companion to "+quoted(s.Spec.ExternalName)+", which nothing in the cluster checks"
	case len(s.Spec.Selector) == 0:
		field, message = "spec.selector", "without a selector, whoever writes its endpoints could lead the companion anywhere"
	case len(tcpPorts(s)) == 0:
		field, message = "spec.ports", "none of its ports is TCP"+inParentheses(portNames(s.Spec.Ports))
	default:
		return true
	}
	fix := "Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled."
	if object.Kind == KindDeployment {
		field, message = "", fmt.Sprintf("its %s cannot be enrolled: %s: %s", objectOfService(s), field, message)
	}
	r.deny(denied(object, CodeServiceUnfit, reason{field, message, fix}))
	return false
}

// serviceOf finds the Service through which a Deployment is enrolled: the one that it names, or the only one that selects its pods.
func (r *resolver) serviceOf(object Object, d *appsv1.Deployment) (*corev1.Service, bool) {
	if name, named := d.Annotations[AnnotationService]; named {
		return r.namedService(object, d, name)
	}
	var names []string
	var found *corev1.Service
	for _, s := range r.objects.Services {
		if s.Namespace == d.Namespace && selects(s, d) {
			found, names = s, append(names, s.Name)
		}
	}
	switch len(names) {
	case 1:
		return found, true
	case 0:
		r.deny(denied(object, CodeAmbiguousService, reason{"spec.template.metadata.labels",
			"no Service in namespace " + d.Namespace + " selects its pods" + inParentheses(labels.FormatLabels(d.Spec.Template.Labels)),
			"Create a Service that selects them, then enrol the Deployment."}))
	default:
		r.deny(denied(object, CodeAmbiguousService, reason{annotationField(AnnotationService),
			fmt.Sprintf("not set, and %d Services select its pods: %s", len(names), enumerate(names, "and")),
			"Name one of them with daprise.dev/service."}))
	}
	return nil, false
}

func (r *resolver) namedService(object Object, d *appsv1.Deployment, name string) (*corev1.Service, bool) {
	i := slices.IndexFunc(r.objects.Services, func(s *corev1.Service) bool { return s.Namespace == d.Namespace && s.Name == name })
	if i < 0 {
		r.deny(denied(object, CodeAmbiguousService, reason{annotationField(AnnotationService),
			"there is no Service " + d.Namespace + "/" + name, "Create it first, or name another."}))
		return nil, false
	}
	s := r.objects.Services[i]
	if len(s.Spec.Selector) > 0 && !selects(s, d) {
		r.deny(denied(object, CodeAmbiguousService, reason{annotationField(AnnotationService),
			fmt.Sprintf("%s selects %s and not the Deployment's pods (%s)", objectOfService(s),
				labels.FormatLabels(s.Spec.Selector), labels.FormatLabels(d.Spec.Template.Labels)),
			"Name a Service that selects them."}))
		return nil, false
	}
	return s, true
}

// selects says whether a Service's endpoints are a Deployment's pods. A companion's own Service has a companion's pods.
func selects(s *corev1.Service, d *appsv1.Deployment) bool {
	if s.Namespace != d.Namespace || s.Spec.Type == corev1.ServiceTypeExternalName || len(s.Spec.Selector) == 0 {
		return false
	}
	for key, value := range s.Spec.Selector {
		if have, ok := d.Spec.Template.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// sidecar says whether pods of a template get a sidecar of Dapr's injector, which reads the value as kit's IsTruthy does.
func sidecar(d *appsv1.Deployment) (value string, asked bool) {
	value = d.Spec.Template.Annotations[DaprPrefix+"enabled"]
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "y", "yes", "t", "true", "on", "1":
		return value, true
	default:
		return value, false
	}
}

func (r *resolver) noSidecar(object Object, d *appsv1.Deployment) bool {
	value, asked := sidecar(d)
	if asked {
		r.deny(denied(object, CodeSidecarToo, reason{"spec.template.metadata.annotations[" + DaprPrefix + "enabled]",
			quoted(value) + " asks Dapr for a sidecar, and the app would have two Dapr instances of one app ID",
			"Remove the annotation from the pod template, or do not enrol the Deployment."}))
	}
	return !asked
}

// noSidecarBehind looks at the Deployments in view that a Service selects. Those out of view are enrolled nowhere and not known here.
func (r *resolver) noSidecarBehind(object Object, s *corev1.Service) bool {
	for _, d := range r.objects.Deployments {
		if _, asked := sidecar(d); asked && selects(s, d) {
			r.deny(denied(object, CodeSidecarToo, reason{"spec.selector",
				"selects " + objectOfDeployment(d).String() + ", whose pod template asks Dapr for a sidecar: the app would have two Dapr instances of one app ID",
				"Remove dapr.io/enabled from the pod template, or do not enrol the Service."}))
			return false
		}
	}
	return true
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
