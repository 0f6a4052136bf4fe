// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/controller"
)

// Access says how the API server is reached, by the flags of kubectl.
type Access struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

// Bind adds kubectl's flags for connections, under kubectl's names, but for --namespace, which commands have themselves. Help shows those that
// most people need; the others work all the same.
func (a *Access) Bind(flags *pflag.FlagSet) {
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{}
	// kubectl has dropped these two.
	names.AuthOverrideFlags.Username, names.AuthOverrideFlags.Password = clientcmd.FlagInfo{}, clientcmd.FlagInfo{}
	names.ClusterOverrideFlags.ProxyURL = clientcmd.FlagInfo{}
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	names.CurrentContext.Description = "context of the kubeconfig file"
	rare := pflag.NewFlagSet("", pflag.ContinueOnError)
	clientcmd.BindOverrideFlags(&a.overrides, rare, names)
	rare.VisitAll(func(f *pflag.Flag) { f.Hidden = f.Name != clientcmd.FlagContext })
	flags.AddFlagSet(rare)
	flags.StringVar(&a.kubeconfig, clientcmd.RecommendedConfigPathFlag, "", "kubeconfig file; kubectl's other flags for connections (--cluster, --as, --token, ...) are taken, too")
}

func (a *Access) loading() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = a.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &a.overrides)
}

// Namespace is that of the context, "default" where it names none.
func (a *Access) Namespace() (string, error) {
	namespace, _, err := a.loading().Namespace()
	if err != nil {
		return "", fmt.Errorf("find the cluster: %w", err)
	}
	return namespace, nil
}

// Config is the connection, with room for the lists of one command.
func (a *Access) Config() (*rest.Config, error) {
	config, err := a.loading().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	return config, nil
}

// Client reads and writes the API server.
func (a *Access) Client() (client.Client, error) {
	config, err := a.Config()
	if err != nil {
		return nil, err
	}
	return NewClient(config)
}

// NewClient reads and writes the API server of a connection, without a cache.
func NewClient(config *rest.Config) (client.Client, error) {
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return c, nil
}
