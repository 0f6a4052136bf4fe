// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func tcpPorts(s *corev1.Service) []corev1.ServicePort {
	return slices.DeleteFunc(slices.Clone(s.Spec.Ports), func(p corev1.ServicePort) bool { return !tcp(p.Protocol) })
}

// tcp knows the default, which admission does not see written out before the API server's defaulting of a new version.
func tcp(protocol corev1.Protocol) bool { return protocol == "" || protocol == corev1.ProtocolTCP }

// portNames is "http 80, 443".
func portNames(ports []corev1.ServicePort) string {
	var names []string
	for _, p := range ports {
		name := strings.TrimSpace(p.Name + " " + strconv.Itoa(int(p.Port)))
		if !tcp(p.Protocol) {
			name += "/" + string(p.Protocol)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// portOfService replaces a name in dapr.io/app-port by the number of the Service's port.
func (r *resolver) portOfService(m *member, s *corev1.Service) bool {
	value, set := m.values[AnnotationAppPort]
	if !set {
		return true
	}
	ports := tcpPorts(s)
	i := slices.IndexFunc(ports, func(p corev1.ServicePort) bool {
		return strconv.Itoa(int(p.Port)) == value || p.Name == value
	})
	if i < 0 {
		r.deny(invalid(m.object, CodeBadValue, reason{annotationField(AnnotationAppPort),
			quoted(value) + " is not a TCP port of the Service, which has " + portNames(ports),
			"Set one of them by number or name, or remove the annotation for the default (the only port, else the one named http)."}))
		return false
	}
	m.values[AnnotationAppPort] = strconv.Itoa(int(ports[i].Port))
	return true
}

// portOfDeployment replaces a container port in dapr.io/app-port by the number of the Service's port that leads to it.
func (r *resolver) portOfDeployment(m *member, d *appsv1.Deployment) bool {
	value, set := m.values[AnnotationAppPort]
	if !set {
		return true
	}
	leading := slices.DeleteFunc(tcpPorts(m.service), func(p corev1.ServicePort) bool { return !leadsTo(p, value, d) })
	field := annotationField(AnnotationAppPort)
	switch len(leading) {
	case 0:
		r.deny(invalid(m.object, CodeBadValue, reason{field,
			fmt.Sprintf("no port of %s leads to container port %s; it has %s", objectOfService(m.service), quoted(value), targets(m.service)),
			"Set a container port that one of them leads to, by number or name."}))
		return false
	case 1:
		m.values[AnnotationAppPort] = strconv.Itoa(int(leading[0].Port))
		return true
	}
	if i := slices.IndexFunc(leading, func(p corev1.ServicePort) bool { return p.Name == "http" }); i >= 0 {
		m.values[AnnotationAppPort] = strconv.Itoa(int(leading[i].Port))
		return true
	}
	r.deny(denied(m.object, CodeNoPort, reason{field,
		fmt.Sprintf("several ports of %s lead to container port %s: %s", objectOfService(m.service), quoted(value), portNames(leading)),
		"Name one of them http, or enrol the Service and set dapr.io/app-port there."}))
	return false
}

// leadsTo says whether a Service's port leads to a container port, given by number or name.
func leadsTo(p corev1.ServicePort, container string, d *appsv1.Deployment) bool {
	number, named := containerPort(d, container), container
	if _, numeric := portNumber(container); numeric {
		named = ""
	}
	if p.TargetPort.Type == intstr.String {
		target := p.TargetPort.StrVal
		return target == named || number != 0 && containerPort(d, target) == number
	}
	target := p.TargetPort.IntVal
	if target == 0 {
		target = p.Port // the API server's default
	}
	return number != 0 && target == number
}

// containerPort is the number of a container port given by number or name, or 0.
func containerPort(d *appsv1.Deployment, port string) int32 {
	if number, ok := portNumber(port); ok {
		return number
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == port && tcp(p.Protocol) {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// targets is "80 to 8080, 443 to https".
func targets(s *corev1.Service) string {
	var names []string
	for _, p := range tcpPorts(s) {
		target := p.TargetPort
		if target.Type == intstr.Int && target.IntVal == 0 {
			target = intstr.FromInt32(p.Port)
		}
		names = append(names, fmt.Sprintf("%d to %s", p.Port, target.String()))
	}
	return strings.Join(names, ", ")
}

// choosePort is the port that Dapr calls: the one asked for, else the only TCP port, else the one named http.
func choosePort(s *corev1.Service, wanted string) (corev1.ServicePort, bool) {
	ports := tcpPorts(s)
	i := slices.IndexFunc(ports, func(p corev1.ServicePort) bool {
		if wanted != "" {
			return strconv.Itoa(int(p.Port)) == wanted
		}
		return len(ports) == 1 || p.Name == "http"
	})
	if i < 0 {
		return corev1.ServicePort{}, false
	}
	return ports[i], true
}

// protocolOf is what daprd speaks for a Service port's appProtocol (Kubernetes' standard names and the common ones), or false.
func protocolOf(p corev1.ServicePort) (string, bool) {
	if p.AppProtocol == nil {
		return "http", true
	}
	protocol := strings.ToLower(strings.TrimPrefix(*p.AppProtocol, "kubernetes.io/"))
	if protocol == "" {
		return "http", true
	}
	return protocol, slices.Contains(protocols(), protocol)
}
