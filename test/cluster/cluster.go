// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"

	"github.com/daprise/daprise/test/controlplane"
)

// Options of a cluster. The zero value is what most tests want.
type Options struct {
	ControlPlane controlplane.Options
	// Without names parts of the surroundings that are left out at first.
	Without []Part
	// Config replaces deploy/base's config.yaml if it is not empty.
	Config string
	// NoDaprise leaves daprise out; Install adds it.
	NoDaprise bool
	// ServerFlags are more flags of daprise-webhook.
	ServerFlags []string
	// ServerEnvironment is more of its environment, such as "GOGC=300".
	ServerEnvironment []string
}

// Part is something around daprise that a test can leave out and add later.
type Part string

// Parts.
const (
	// TrustBundle is Dapr's public ConfigMap dapr-trust-bundle.
	TrustBundle Part = "trust-bundle"
	// CiliumFacts are the ConfigMap cilium-config and the DaemonSet cilium.
	CiliumFacts Part = "cilium-facts"
)

// Cluster is a running control plane with its surroundings and, unless left out, daprise.
type Cluster struct {
	*controlplane.ControlPlane
	// Client reads and writes as the administrator, without a cache.
	Client client.Client

	options Options
	server  *server
	binary  string
}

// Start starts all of it and returns when daprise is ready to serve. Stop must be called on the result.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	cp, err := controlplane.Start(ctx, options.ControlPlane)
	if err != nil {
		return nil, err
	}
	c, err := On(ctx, cp, options)
	if err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return c, nil
}

// On puts the surroundings and daprise on a control plane that runs already.
func On(ctx context.Context, cp *controlplane.ControlPlane, options Options) (*Cluster, error) {
	// What fails is returned as an error; controller-runtime has nothing to add to that.
	ctrllog.SetLogger(logr.Discard())
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	c := &Cluster{ControlPlane: cp, options: options}
	if c.Client, err = client.New(cp.AdminConfig(), client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err := c.surround(ctx); err != nil {
		return nil, err
	}
	if options.NoDaprise {
		return c, nil
	}
	if err := c.Install(ctx); err != nil {
		return nil, errors.Join(err, c.StopServer())
	}
	return c, nil
}

// Scheme knows every typed kind of the tests.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, ciliumv2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("scheme: %w", err)
		}
	}
	return scheme, nil
}

// Stop ends daprise and the control plane.
func (c *Cluster) Stop() error {
	return errors.Join(c.StopServer(), c.ControlPlane.Stop())
}
