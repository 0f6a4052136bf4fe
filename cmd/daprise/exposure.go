// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// exposing is the command line of daprise exposure.
type exposing struct {
	input
	ports  []string
	output string
}

// exposed is who can reach one port.
type exposed struct {
	Port        int32   `json:"port"`
	DefaultDeny bool    `json:"defaultDeny"`
	Ways        []wayIn `json:"ways"`
}

// wayIn is one rule, or the want of any, by which sources get in; From is one of them.
type wayIn struct {
	From     string          `json:"from"`
	Witness  policy.Endpoint `json:"witness"`
	By       policy.Decision `json:"by"`
	Unjudged string          `json:"unjudged,omitempty"`
}

func exposure() *cobra.Command {
	e := &exposing{}
	command := &cobra.Command{
		Use:     "exposure ENDPOINT --port PORT -f FILE",
		Short:   "Say who can reach a companion or a pod",
		Long:    "Lists, for each port, every rule that lets anyone in, with one source as a witness. The endpoint is " + endpointForms + ". The node that the\npod runs on is not listed: Cilium always lets it in.",
		Example: "  daprise exposure app:default/whoami --port 50002 -f deploy/",
		Args:    cobra.ExactArgs(1),
		RunE:    e.run,
	}
	e.bindFiles(command)
	e.bindLive(command)
	command.Flags().StringArrayVar(&e.ports, "port", nil, "TCP port; may be repeated; by default those of a companion")
	command.Flags().StringVarP(&e.output, "output", "o", "text", "text or json")
	return command
}

func (e *exposing) run(command *cobra.Command, args []string) error {
	if e.output != "text" && e.output != "json" {
		return fmt.Errorf("-o: %w: %q; it is text or json", errFormat, e.output)
	}
	ports, err := e.numbers()
	if err != nil {
		return err
	}
	e.ciliumVersion = defaultCilium
	w, files, err := e.ask(command)
	if err != nil {
		return err
	}
	all, err := w.All(command.Context())
	if err != nil {
		return err
	}
	target, err := endpointOf(all.View, args[0])
	if err != nil {
		return err
	}
	list := make([]exposed, 0, len(ports))
	for _, port := range ports {
		list = append(list, exposedAt(all, target, port))
	}
	if err := writeExposed(command.OutOrStdout(), list, e.output); err != nil {
		return err
	}
	return tell(command, problems(files, w))
}

func (e *exposing) numbers() ([]int32, error) {
	if len(e.ports) == 0 {
		return []int32{mesh.PortHTTP, mesh.PortPublic, mesh.PortGRPC, mesh.PortInternal, mesh.PortMetrics}, nil
	}
	var ports []int32
	for _, text := range e.ports {
		port, protocol, err := portOf(text)
		if err != nil {
			return nil, fmt.Errorf("--port: %w", err)
		}
		if protocol != policy.TCP {
			return nil, fmt.Errorf("--port: %w: %q: exposure is told of TCP alone", errPort, text)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// exposedAt asks who gets in beside nobody.
func exposedAt(all policy.World, target policy.Endpoint, port int32) exposed {
	found := all.Set.Exposure(target, port, nil, all.View.Namespaces)
	e := exposed{Port: port, DefaultDeny: found.DefaultDeny, Ways: []wayIn{}}
	for _, leak := range found.Leaks {
		e.Ways = append(e.Ways, wayIn{From: anyOf(leak.Witness), Witness: leak.Witness, By: leak.By, Unjudged: leak.Unjudged})
	}
	return e
}

// anyNamespace is what a witness has in place of a namespace where any will do (mesh/policy).
const anyNamespace = "any"

// anyOf names a witness; one without labels stands for any pod.
func anyOf(e policy.Endpoint) string {
	switch {
	case e.Entity != "", e.Address.IsValid(), len(e.Labels) > 0 && e.Namespace != anyNamespace:
		return e.String()
	case len(e.Labels) > 0:
		return "any " + strings.Replace(e.String(), "pod "+anyNamespace+"/", "pod with ", 1)
	case e.Namespace == anyNamespace:
		return "any pod"
	default:
		return "any pod of namespace " + e.Namespace
	}
}

func writeExposed(out io.Writer, list []exposed, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	}
	var b strings.Builder
	for _, e := range list {
		state := "closed but for what rules allow"
		if !e.DefaultDeny {
			state = "open: nothing enables default deny"
		} else if len(e.Ways) == 0 {
			state = "closed"
		}
		fmt.Fprintf(&b, "%d/TCP %s\n", e.Port, state)
		for _, way := range e.Ways {
			fmt.Fprintf(&b, "    %s", way.From)
			if way.By.Policy != "" {
				fmt.Fprintf(&b, ": %s (%s)", way.By.Why, way.By.Policy)
			}
			if way.Unjudged != "" {
				fmt.Fprintf(&b, ", taken as open: %s", way.Unjudged)
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
