// SPDX-License-Identifier: Apache-2.0

package companion

import (
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
)

// Names of ports, the same as in Dapr's own pods (dapr pkg/injector/consts).
const (
	portNameHTTP     = "dapr-http"
	portNameGRPC     = "dapr-grpc"
	portNameInternal = "dapr-internal"
	portNameMetrics  = "dapr-metrics"
)

// objectMeta is the metadata of every object of the companion. The ownerReference is for garbage collection only: it must not
// block the deletion of the user's object.
func (i instance) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      name,
		Namespace: i.ref.Namespace,
		Labels:    mesh.ObjectLabels(i.ref.ID, i.component),
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion:         i.owner.Object.APIVersion,
			Kind:               i.owner.Object.Kind,
			Name:               i.owner.Object.Name,
			UID:                i.owner.UID,
			Controller:         new(true),
			BlockOwnerDeletion: new(false),
		}},
	}
}

// serviceAccount has no rights and no token: daprd's identity is from sentry, by its projected token.
func (i instance) serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   i.objectMeta(i.name()),
		AutomountServiceAccountToken: new(false),
	}
}

// headlessService is what other companions resolve and dial: `<app-id>-dapr.<namespace>.svc:50002`. Headless, because Dapr balances
// over the pods' addresses itself and would stay on one pod behind a ClusterIP.
func (i instance) headlessService() *corev1.Service {
	service := i.service(i.name(), servicePort(portNameInternal, mesh.PortInternal, mesh.PortInternal))
	service.Spec.ClusterIP = corev1.ClusterIPNone
	return service
}

// apiService is where the app's own pods find Dapr's API. Its ports stay where the pods' ports move.
func (i instance) apiService() *corev1.Service {
	service := i.service(mesh.APIServiceName(i.ref.ID),
		servicePort(portNameHTTP, mesh.PortHTTP, i.httpPort),
		servicePort(portNameGRPC, mesh.PortGRPC, i.grpcPort))
	if i.strategy == mesh.StrategyDaemonSet {
		service.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
	}
	return service
}

// ingressService is where the gateway sends requests. A ClusterIP: nobody invokes the ingress by name, and a local redirect needs one.
func (i instance) ingressService() *corev1.Service {
	ports := []corev1.ServicePort{servicePort(portNameHTTP, mesh.PortHTTP, i.httpPort)}
	if i.grpc {
		port := servicePort(portNameGRPC, mesh.PortGRPC, i.grpcPort)
		// Tells the gateway to speak HTTP/2 in clear text to daprd (KEP-3726).
		port.AppProtocol = new("kubernetes.io/h2c")
		ports = append(ports, port)
	}
	return i.service(i.name(), ports...)
}

// splitService stands in front of the ingress companion for one app of a divided rule. Gateways keep the headers of weighted backends
// apart by Service, so each app needs one of its own (facts: section 3).
func (i instance) splitService(app mesh.AppRef) *corev1.Service {
	return i.service(mesh.SplitServiceName(i.ref, app), servicePort(portNameHTTP, mesh.PortHTTP, i.httpPort))
}

func (i instance) service(name string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: i.objectMeta(name),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: i.selector(),
			Ports:    ports,
		},
	}
}

func servicePort(name string, port, target int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port, TargetPort: intstr.FromInt32(target), Protocol: corev1.ProtocolTCP}
}

// disruptionBudget lets a drain take one pod at a time. Pods that are not ready never stand in a drain's way.
func (i instance) disruptionBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: i.objectMeta(i.name()),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: i.selector()},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}
