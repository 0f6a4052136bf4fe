// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// member is an object that asks for an enrolment, with well-formed annotations.
type member struct {
	object Object
	meta   metav1.Object
	// values are what its annotations say, in one form for what means the same, so that members can be compared: callers with their
	// namespaces and sorted, the port as the number of a port of the Service.
	values map[string]string
	// service is the Service behind which it stands; nil for a Gateway.
	service *corev1.Service
}

// read takes an object in if it asks for an enrolment and its annotations are well-formed.
func (r *resolver) read(object Object, meta metav1.Object) (member, bool) {
	have := meta.GetAnnotations()
	findings := checkAnnotations(object, have, r.config)
	if len(findings) == 0 && have[AnnotationEnabled] == "true" {
		findings = append(findings, checkReplicas(object, have)...)
	}
	r.findings = append(r.findings, findings...)
	if len(findings) > 0 || have[AnnotationEnabled] != "true" {
		return member{}, false
	}
	m := member{object: object, meta: meta, values: map[string]string{}}
	for key, value := range have {
		if strings.HasPrefix(key, DaprPrefix) || strings.HasPrefix(key, Prefix) {
			m.values[key] = value
		}
	}
	for _, own := range []string{AnnotationEnabled, AnnotationSuppress, AnnotationService} {
		delete(m.values, own)
	}
	return m, true
}

// checkReplicas refuses a number of replicas where every node runs one.
func checkReplicas(object Object, have map[string]string) []Finding {
	replicas, set := have[AnnotationReplicas]
	strategy, chosen := have[AnnotationStrategy]
	if !chosen {
		strategy = string(defaultStrategy(object.Kind))
	}
	if !set || Strategy(strategy) != StrategyDaemonSet {
		return nil
	}
	message, fix := quoted(replicas)+" means nothing with strategy daemonset, which runs one companion on every node", "Remove the annotation."
	if !chosen {
		message = quoted(replicas) + " means nothing with strategy daemonset, the default of a " + object.Kind + ", which runs one companion on every node"
		fix = "Remove the annotation, or set daprise.dev/strategy=deployment."
	}
	return []Finding{invalid(object, CodeBadValue, reason{annotationField(AnnotationReplicas), message, fix})}
}

func (r *resolver) serviceMembers() []member {
	var members []member
	for _, s := range r.objects.Services {
		m, ok := r.read(objectOfService(s), s)
		if ok && r.fit(m.object, s) && r.portOfService(&m, s) && r.noSidecarBehind(m.object, s) {
			m.service = s
			members = append(members, m.canonical())
		}
	}
	return members
}

func (r *resolver) deploymentMembers() []member {
	var members []member
	for _, d := range r.objects.Deployments {
		m, ok := r.read(objectOfDeployment(d), d)
		if !ok {
			continue
		}
		m.service, ok = r.serviceOf(m.object, d)
		if ok && r.fit(m.object, m.service) && r.portOfDeployment(&m, d) && r.noSidecar(m.object, d) {
			members = append(members, m.canonical())
		}
	}
	return members
}

// canonical writes what can be written in several ways in one.
func (m member) canonical() member {
	if callers, set := m.values[AnnotationCallers]; set {
		var names []string
		for _, caller := range callersOf(callers, m.object.Namespace) {
			names = append(names, caller.String())
		}
		m.values[AnnotationCallers] = strings.Join(names, ",")
	}
	return m
}

// id is the app ID that a member asks for and the field that says so. A default that is no app ID is a finding.
func (r *resolver) id(m member, fallback string) (string, bool) {
	if id, set := m.values[AnnotationAppID]; set {
		return id, true
	}
	field, whose := "metadata.name", "its own name"
	switch {
	case m.service != nil && m.object.Kind == KindDeployment:
		field, whose = annotationField(AnnotationAppID), "its Service's name"
	case m.meta.GetName() == "":
		r.deny(invalid(m.object, CodeBadValue, reason{annotationField(AnnotationAppID),
			"not set, and the default is made from the name, which is not known yet (generateName " + quoted(m.meta.GetGenerateName()) + ")",
			"Set dapr.io/app-id, or give the object a name."}))
		return "", false
	case m.object.Kind == KindGateway:
		whose = "its own name and -ingress"
	}
	if !IsAppID(fallback) {
		r.deny(invalid(m.object, CodeBadValue, reason{field, quoted(fallback) + ", the default app ID (" + whose + "), is not " + appIDs, "Set dapr.io/app-id."}))
		return "", false
	}
	return fallback, true
}

// dapr are the values of Dapr's keys that daprise hands on to the companion.
func dapr(values map[string]string) map[string]string {
	rest := maps.Clone(values)
	maps.DeleteFunc(rest, func(key, _ string) bool {
		own := key == AnnotationAppID || key == AnnotationAppPort || key == AnnotationAppProtocol
		return own || !strings.HasPrefix(key, DaprPrefix)
	})
	if len(rest) == 0 {
		return nil
	}
	return rest
}

// ObjectOf names a *Service, *Deployment or *Gateway; of any other type the result is zero. While the API server has not made a name of
// generateName it is "prefix*".
func ObjectOf(object metav1.Object) Object {
	switch object := object.(type) {
	case *corev1.Service:
		return objectOfService(object)
	case *appsv1.Deployment:
		return objectOfDeployment(object)
	case *gatewayv1.Gateway:
		return objectOfGateway(object)
	default:
		return Object{}
	}
}

func objectOfService(s *corev1.Service) Object {
	return Object{APIVersion: corev1.SchemeGroupVersion.String(), Kind: KindService, Namespace: s.Namespace, Name: nameOf(s)}
}

func objectOfDeployment(d *appsv1.Deployment) Object {
	return Object{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: KindDeployment, Namespace: d.Namespace, Name: nameOf(d)}
}

func objectOfGateway(g *gatewayv1.Gateway) Object {
	return Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindGateway, Namespace: g.Namespace, Name: nameOf(g)}
}

// nameOf is an object's name, or "prefix*" while the API server has not made one of generateName.
func nameOf(object metav1.Object) string {
	if name := object.GetName(); name != "" {
		return name
	}
	return object.GetGenerateName() + "*"
}
