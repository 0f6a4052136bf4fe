// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/test/datapath/build"
	"github.com/daprise/daprise/test/datapath/enforce"
	"github.com/daprise/daprise/test/datapath/kubelet"
)

//go:embed manifests
var manifests embed.FS

// LogsEnv names a folder in which the logs of all Pods stay after a run.
const LogsEnv = "DAPRISE_TEST_LOGS"

const (
	// startLimit is for a loaded machine.
	startLimit = 5 * time.Minute
	poll       = 100 * time.Millisecond
)

// World is a running cluster.
type World struct {
	*controlplane.ControlPlane
	// Client reads and writes as the administrator, without a cache.
	Client  client.Client
	Kubelet *kubelet.Kubelet
	// Policies puts network policies in force.
	Policies *enforce.Enforcer

	root        string
	programs    map[string]string
	log         io.Writer
	stopKubelet context.CancelFunc
}

// Start brings up everything but daprise. It must run in a process that
// Isolate started. Stop must be called on the result.
func Start(ctx context.Context, log io.Writer) (*World, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	w := &World{log: log}
	if err := w.start(ctx); err != nil {
		w.Diagnose(log)
		return nil, errors.Join(fmt.Errorf("start the world: %w", err), w.Stop())
	}
	return w, nil
}

func (w *World) start(ctx context.Context) error {
	if err := setUpNode(ctx); err != nil {
		return err
	}
	var err error
	if w.root, err = parts.Root(); err != nil {
		return err
	}
	if w.programs, err = findPrograms(ctx, w.root); err != nil {
		return err
	}
	w.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Nodes: controlplane.NoNodes,
		// In-cluster clients find the API server by the Service kubernetes.
		APIServerFlags: []string{"--bind-address=0.0.0.0", "--advertise-address=" + nodeAddress, "--endpoint-reconciler-type=lease"},
		Slots:          controlplane.Unlimited,
		Log:            w.log,
	})
	if err != nil {
		return err
	}
	scheme, err := cluster.Scheme()
	if err != nil {
		return err
	}
	if w.Client, err = client.New(w.AdminConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	// kube-proxy looks for its Node at start.
	if err := w.startKubelet(); err != nil {
		return err
	}
	if err := w.startProxy(); err != nil {
		return err
	}
	return w.startSurroundings(ctx)
}

// startProxy starts kube-proxy. Limits of connection tracking belong to the
// machine, not to this network namespace: 0 leaves them alone.
func (w *World) startProxy() error {
	config, err := w.UserConfig("system:kube-proxy")
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(w.Dir(), "kube-proxy.kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, config); err != nil {
		return err
	}
	_, err = w.StartProgram(build.KubeProxy, w.programs[build.KubeProxy],
		"--kubeconfig="+kubeconfig,
		"--proxy-mode=nftables",
		"--hostname-override="+nodeName,
		"--cluster-cidr="+podRange,
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0s",
		"--conntrack-tcp-timeout-close-wait=0s",
	)
	return err
}

func (w *World) startKubelet() error {
	config, err := w.UserConfig("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	// It ends with Stop, not with the context of the start.
	ctx, cancel := context.WithCancel(context.Background())
	w.stopKubelet = cancel
	if w.Policies, err = w.startPolicies(ctx); err != nil {
		return err
	}
	w.Kubelet, err = kubelet.Start(ctx, kubelet.Options{
		Config:  config,
		Node:    nodeName,
		Address: netip.MustParseAddr(nodeAddress),
		Pods:    podPrefix(),
		DNS:     netip.MustParseAddr(dnsAddress),
		Domain:  clusterDomain,
		Images:  images(w.programs),
		Dir:     filepath.Join(w.Dir(), "kubelet"),
		Logs:    cmp.Or(os.Getenv(LogsEnv), filepath.Join(w.Dir(), "logs")),
		Log:     w.log,
		Joined:  w.Policies.Add,
		Left:    w.Policies.Remove,
	})
	return err
}

// startPolicies has the Pods of the gateway play Cilium's Envoy.
func (w *World) startPolicies(ctx context.Context) (*enforce.Enforcer, error) {
	return enforce.Start(ctx, enforce.Options{
		Client:    w.Client,
		Program:   w.programs[build.Verdicts],
		Node:      netip.MustParseAddr(nodeAddress),
		Pods:      podPrefix(),
		IsGateway: func(pod *corev1.Pod) bool { return pod.Namespace == "gateway-system" },
		Log:       w.log,
	})
}

func (w *World) startSurroundings(ctx context.Context) error {
	for _, name := range []string{"coredns", "dapr", "traefik", "cilium"} {
		data, err := manifests.ReadFile("manifests/" + name + ".yaml")
		if err != nil {
			return err
		}
		if err := w.Apply(ctx, data); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
	}
	for _, d := range []client.ObjectKey{
		{Namespace: "kube-system", Name: "coredns"},
		{Namespace: "dapr-system", Name: "dapr-sentry"},
		{Namespace: "dapr-system", Name: "dapr-operator"},
		{Namespace: "gateway-system", Name: "traefik"},
	} {
		if err := w.WaitDeployment(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends everything and waits until it is gone.
func (w *World) Stop() error {
	if w.Kubelet != nil {
		w.stopKubelet()
		w.Kubelet.Wait()
	}
	if w.ControlPlane == nil {
		return nil
	}
	return w.ControlPlane.Stop()
}
