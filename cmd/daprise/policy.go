// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

func policies() *cobra.Command {
	in := &input{}
	command := &cobra.Command{
		Use:   "policy -f FILE",
		Short: "Write the policies that cover the companions of files",
		Long: `Writes, for each companion that the input asks for, the policy that closes it to all but its flows: the gateway, the ingress companions
that route to the app, its callers, its own pods and the scrapers of the config file. They are what daprise writes by itself in
namespaces with daprise.dev/policies=generate, but for their names and labels: these are yours.`,
		Example: "  daprise policy -f deploy/ > deploy/policies.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			in.asked()
			w, files, err := in.open(command)
			if err != nil {
				return err
			}
			all, err := w.All(command.Context())
			if err != nil {
				return err
			}
			if err := writePolicies(command.OutOrStdout(), covering(all.View)); err != nil {
				return err
			}
			return tell(command, problems(files, w))
		},
	}
	in.bindFiles(command)
	in.bindLive(command)
	return command
}

// covering are the policies for all companions of a View.
func covering(view *mesh.View) []*ciliumv2.CiliumNetworkPolicy {
	var all []*ciliumv2.CiliumNetworkPolicy
	for _, g := range view.Ingresses {
		all = append(all, policy.CoveringIngress(view, g)...)
	}
	for _, a := range view.Apps {
		all = append(all, policy.CoveringApp(view, a)...)
	}
	for i, p := range all {
		p = p.DeepCopy()
		p.Name += "-isolation"
		p.Labels, p.OwnerReferences = nil, nil
		all[i] = p
	}
	return all
}

func writePolicies(out io.Writer, list []*ciliumv2.CiliumNetworkPolicy) error {
	for i, p := range list {
		content, err := world.Content(p)
		if err != nil {
			return err
		}
		text, err := yaml.Marshal(content.Object)
		if err != nil {
			return fmt.Errorf("encode CiliumNetworkPolicy %s: %w", p.Name, err)
		}
		separator := "---\n"
		if i == 0 {
			separator = ""
		}
		if _, err := fmt.Fprint(out, separator, string(text)); err != nil {
			return err
		}
	}
	return nil
}
