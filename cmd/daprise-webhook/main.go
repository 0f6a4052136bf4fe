// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	_ "github.com/cert-manager/cert-manager/pkg/server/tls"
	_ "github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	_ "github.com/cilium/cilium/pkg/k8s"
	_ "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/utils"
	_ "github.com/cilium/cilium/pkg/policy/api"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/spf13/cobra"
	_ "pgregory.net/rapid"
	_ "sigs.k8s.io/controller-runtime"
	_ "sigs.k8s.io/controller-runtime/pkg/certwatcher"
	_ "sigs.k8s.io/controller-runtime/pkg/envtest"
	_ "sigs.k8s.io/gateway-api/apis/v1beta1"
	_ "sigs.k8s.io/kustomize/api/krusty"
	_ "sigs.k8s.io/yaml"
)

func main() {}
