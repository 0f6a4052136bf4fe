// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

const (
	ciliumConfig = "cilium-config"
	// implementationCilium is the value of gateway.implementation for Cilium's own Gateway API.
	implementationCilium = "cilium"
)

// ciliumFacts is what was read of Cilium.
type ciliumFacts struct {
	mesh.Cilium
	// settings is the ConfigMap's data, nil where there is none.
	settings map[string]string
	missing  []string
}

func cilium(ctx context.Context, c *Cluster) ([]Line, error) {
	var f ciliumFacts
	var err error
	if f.missing, err = c.missing(schema.GroupVersion{Group: "cilium.io", Version: "v2"}, policy.KindCNP, policy.KindCCNP); err != nil {
		return nil, err
	}
	configMap := &corev1.ConfigMap{}
	found, err := c.get(ctx, client.ObjectKey{Namespace: c.config.Cilium.Namespace, Name: ciliumConfig}, configMap)
	if err != nil {
		return nil, err
	}
	if found {
		f.settings = configMap.Data
	}
	loaded, err := controller.NewLoader(c.config, c.client).Load(ctx, mesh.Need{})
	if err != nil {
		return nil, err
	}
	f.Cilium = loaded.View.Cilium
	return judgeCilium(f, c.config), nil
}

// judgeCilium judges Cilium by what coverage depends on.
func judgeCilium(f ciliumFacts, config mesh.Config) []Line {
	if len(f.missing) > 0 {
		return []Line{hinted(Fail, "the API server does not serve "+strings.Join(f.missing, " and "), "Install Cilium: daprise judges by its policies.")}
	}
	if f.settings == nil {
		return []Line{hinted(Fail, fmt.Sprintf("ConfigMap %s/%s is not found, so that coverage is not claimed [%s]", config.Cilium.Namespace, ciliumConfig, mesh.CodeCiliumSetting),
			"Install Cilium, or say in daprise's config file where it is (cilium.namespace).")}
	}
	lines := []Line{ok("%s", f.Version)}
	if why, mend := unclaimed(f.Cilium, config); why != "" {
		lines = []Line{hinted(Warn, fmt.Sprintf("coverage is not claimed: %s [%s]", why, mesh.CodeCiliumSetting), mend)}
	}
	if config.Gateway.Implementation == implementationCilium && f.settings["enable-gateway-api"] != "true" {
		lines = append(lines, hinted(Fail, "enable-gateway-api is not true in "+ciliumConfig+": Cilium serves no Gateway",
			"Set gatewayAPI.enabled in Cilium's chart, or gateway.implementation in daprise's config file if another gateway serves."))
	}
	return lines
}

// unclaimed says why coverage is not claimed under a Cilium, and what to do, or nothing: what mesh/policy says of any companion there.
func unclaimed(c mesh.Cilium, config mesh.Config) (why, mend string) {
	view := &mesh.View{Config: config, Cilium: c, Namespaces: map[string]map[string]string{}}
	for _, f := range policy.App(view, policy.NewSet(), mesh.App{AppRef: mesh.AppRef{Namespace: "default", ID: "any"}, Service: "any", Port: 80}) {
		if f.Code == mesh.CodeCiliumSetting {
			_, why, _ = strings.Cut(f.Message, ": ")
			return why, f.Fix
		}
	}
	return "", ""
}
