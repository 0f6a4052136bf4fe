// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"strconv"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slimv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// localRedirect keeps what pods send to the companion's ClusterIP on their own node. It does nothing for what the gateway's Envoy
// sends, which never passes the ClusterIP. Its spec is immutable: a changed one is replaced, not updated. With several ports Cilium
// wants them named, alike on both sides.
func (i instance) localRedirect() *ciliumv2.CiliumLocalRedirectPolicy {
	frontend := []ciliumv2.PortInfo{redirectPort(portNameHTTP, mesh.PortHTTP)}
	backend := []ciliumv2.PortInfo{redirectPort(portNameHTTP, i.httpPort)}
	if i.grpc {
		frontend = append(frontend, redirectPort(portNameGRPC, mesh.PortGRPC))
		backend = append(backend, redirectPort(portNameGRPC, i.grpcPort))
	}
	service := i.name()
	if i.app != nil {
		service = mesh.APIServiceName(i.ref.ID)
	}
	return &ciliumv2.CiliumLocalRedirectPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: "CiliumLocalRedirectPolicy"},
		ObjectMeta: i.objectMeta(i.name()),
		Spec: ciliumv2.CiliumLocalRedirectPolicySpec{
			RedirectFrontend: ciliumv2.RedirectFrontend{ServiceMatcher: &ciliumv2.ServiceInfo{
				Name:      service,
				Namespace: i.ref.Namespace,
				ToPorts:   frontend,
			}},
			RedirectBackend: ciliumv2.RedirectBackend{
				LocalEndpointSelector: slimv1.LabelSelector{MatchLabels: i.selector()},
				ToPorts:               backend,
			},
		},
	}
}

func redirectPort(name string, number int32) ciliumv2.PortInfo {
	return ciliumv2.PortInfo{Name: name, Port: strconv.Itoa(int(number)), Protocol: api.ProtoTCP}
}
