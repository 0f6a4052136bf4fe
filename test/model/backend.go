// SPDX-License-Identifier: Apache-2.0

package model

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Backend is where a delivery goes: addresses of endpoints, any of which will do.
type Backend struct {
	Addresses []string
	// H2C says that they are spoken to in HTTP/2 without TLS.
	H2C bool
}

// Deliver says what happens to a request: a gRPC call is one for the GRPCRoutes first. What no route of a parent Service takes goes to the
// Service itself, unchanged.
func (s Server) Deliver(r Request) []Delivery {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		if found := s.GRPC.Deliver(r); found[0].Status != http.StatusNotFound {
			return found
		}
	}
	if s.Parent.Kind == "Service" && len(s.HTTP.Routes) == 0 {
		to := Service{Namespace: s.Parent.Namespace, Name: s.Parent.Name, Port: s.Parent.Port}
		return []Delivery{{Kind: "HTTPRoute", From: s.Parent.Namespace, To: to, Weight: 1, Request: r.clone()}}
	}
	return s.HTTP.Deliver(r)
}

// Backend finds the ready endpoints of a delivery's Service, or the status with which the gateway answers by itself: 500 where there is no
// such port or no ReferenceGrant for it, 503 where nothing is ready.
func (s Server) Backend(d Delivery) (Backend, int) {
	if d.To.Namespace != d.From && !s.Cluster.isGranted(d) {
		return Backend{}, http.StatusInternalServerError
	}
	i := slices.IndexFunc(s.Cluster.Services, func(s corev1.Service) bool { return s.Namespace == d.To.Namespace && s.Name == d.To.Name })
	if i < 0 {
		return Backend{}, http.StatusInternalServerError
	}
	service := &s.Cluster.Services[i]
	p := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == d.To.Port })
	if p < 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
		return Backend{}, http.StatusInternalServerError
	}
	port := &service.Spec.Ports[p]
	b := Backend{Addresses: s.Cluster.endpoints(d.To, port.Name)}
	b.H2C = d.Kind == "GRPCRoute" || port.AppProtocol != nil && *port.AppProtocol == "kubernetes.io/h2c"
	if len(b.Addresses) == 0 {
		return b, http.StatusServiceUnavailable
	}
	return b, 0
}

// isGranted says whether a ReferenceGrant lets a route reach a Service of another namespace.
func (c Cluster) isGranted(d Delivery) bool {
	return slices.ContainsFunc(c.Grants, func(g gatewayv1.ReferenceGrant) bool {
		from := slices.ContainsFunc(g.Spec.From, func(f gatewayv1.ReferenceGrantFrom) bool {
			return f.Group == gatewayv1.GroupName && string(f.Kind) == d.Kind && string(f.Namespace) == d.From
		})
		to := slices.ContainsFunc(g.Spec.To, func(t gatewayv1.ReferenceGrantTo) bool {
			return t.Group == "" && t.Kind == "Service" && (t.Name == nil || string(*t.Name) == d.To.Name)
		})
		return g.Namespace == d.To.Namespace && from && to
	})
}

// endpoints are the ready addresses behind a named port of a Service.
func (c Cluster) endpoints(of Service, port string) []string {
	var found []string
	for i := range c.Slices {
		slice := &c.Slices[i]
		if slice.Namespace != of.Namespace || slice.Labels[discoveryv1.LabelServiceName] != of.Name {
			continue
		}
		for _, p := range slice.Ports {
			name := ""
			if p.Name != nil {
				name = *p.Name
			}
			if name != port || p.Port == nil {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					found = append(found, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}
