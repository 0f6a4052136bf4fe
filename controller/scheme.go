// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// Scheme knows every typed kind that daprise reads or writes. Dapr's kinds are read and written untyped.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for name, add := range map[string]func(*runtime.Scheme) error{
		"Kubernetes":          clientgoscheme.AddToScheme,
		"Gateway API v1":      gatewayv1.Install,
		"Gateway API v1beta1": gatewayv1beta1.Install,
		"Cilium":              ciliumv2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register the types of %s: %w", name, err)
		}
	}
	return scheme, nil
}
