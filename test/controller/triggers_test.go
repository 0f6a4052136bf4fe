// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// gateway is a Gateway as it is stored after admission of its enrolment with app ID "ingress".
func gateway(ns string) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: "default-gateway",
			Labels:      map[string]string{mesh.LabelAppID: "ingress"},
			Annotations: map[string]string{mesh.AnnotationEnabled: "true", mesh.AnnotationAppID: "ingress"},
		},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "cilium",
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
}

// route sends requests from a Gateway of its namespace straight to a Service.
func route(ns, service string) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: service + "-route"},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "default-gateway"}}},
			Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
				BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(service), Port: new(gatewayv1.PortNumber(80))},
			}}}}},
		},
	}
}

// TestTheOtherEndOfARouteIsTold: whoever comes last, the app's companion must learn at once whom it lets in, and roll: until then its
// routes do not join. No sweep helps here.
func TestTheOtherEndOfARouteIsTold(t *testing.T) {
	tests := []struct {
		name  string
		parts func(ns string) []client.Object
	}{
		{"the Gateway comes last", func(ns string) []client.Object {
			return []client.Object{enrolled(ns, "whoami"), route(ns, "whoami"), gateway(ns)}
		}},
		{"the Service comes last", func(ns string) []client.Object {
			return []client.Object{gateway(ns), route(ns, "whoami"), enrolled(ns, "whoami")}
		}},
		{"the route comes last", func(ns string) []client.Object {
			return []client.Object{gateway(ns), enrolled(ns, "whoami"), route(ns, "whoami")}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
			for _, part := range test.parts(ns) {
				create(t, part)
				settled(t, part)
			}
			admits(t, ns, "whoami", "ingress")
			// A Gateway that leaves is no caller any more, though no route had joined it.
			if err := shared.Client.Delete(t.Context(), gateway(ns)); err != nil {
				t.Fatal(err)
			}
			admits(t, ns, "whoami")
		})
	}
}

// settled waits until nothing more happens to an enrolled object's companion by itself.
func settled(t *testing.T, object client.Object) {
	t.Helper()
	switch object.(type) {
	case *gatewayv1.Gateway:
		cluster.Eventually(t, func() error {
			g := &gatewayv1.Gateway{}
			if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(object), g); err != nil {
				return err
			}
			return reasonIs(g.Status.Conditions, "Companion", "Ready")
		})
	case *corev1.Service:
		hasReason(t, object.GetNamespace(), object.GetName(), "Companion", "Ready")
	}
}

// admits waits until the access control of an app's companion allows exactly some callers of its namespace.
func admits(t *testing.T, ns, id string, callers ...string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		found, err := allowed(t, ns, id)
		if err != nil {
			return err
		}
		if strings.Join(found, ",") != strings.Join(callers, ",") {
			return fmt.Errorf("callers of %s are %v, want %v", id, found, callers)
		}
		return nil
	})
}

func allowed(t *testing.T, ns, id string) ([]string, error) {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "dapr.io", Version: "v1alpha1", Kind: "Configuration"})
	if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: mesh.CompanionName(id)}, u); err != nil {
		return nil, err
	}
	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	var configuration struct {
		Spec struct {
			AccessControl struct {
				Policies []struct{ AppID string }
			}
		}
	}
	if err := json.Unmarshal(data, &configuration); err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range configuration.Spec.AccessControl.Policies {
		ids = append(ids, p.AppID)
	}
	return ids, nil
}
