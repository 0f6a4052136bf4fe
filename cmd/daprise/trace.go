// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/mesh/policy"
)

var (
	errFlow    = errors.New("name a flow with --from, --to and --port, or a file of flows with --flows")
	errRefused = errors.New("the flow is not allowed")
)

// tracing is the command line of daprise trace.
type tracing struct {
	input
	from, to, port, flows, output string
}

func trace() *cobra.Command {
	t := &tracing{}
	command := &cobra.Command{
		Use:   "trace --from ENDPOINT --to ENDPOINT --port PORT/PROTOCOL -f FILE",
		Short: "Say whether network policies let a flow through, and which rule decides",
		Long: `Judges a flow as Cilium does, in both directions of enforcement: the source's egress and the destination's ingress. An endpoint is
` + endpointForms + `, which is the companion of the app or Gateway.

With --flows, each line of a file (- for standard input) is one flow in JSON, and each line of the output its verdict, in order.
The exit status for one flow is 0 if it is allowed and 1 if not.`,
		Example: "  daprise trace --from entity:ingress --to app:default/ingress --port 3500/TCP -f deploy/\n" +
			`  echo '{"from":{"entity":"ingress"},"to":{"namespace":"default","labels":{"app":"whoami"}},"port":80}' | daprise trace --flows - -f deploy/`,
		Args: cobra.NoArgs,
		RunE: t.run,
	}
	t.bindFiles(command)
	t.bindLive(command)
	flags := command.Flags()
	flags.StringVar(&t.from, "from", "", "source: "+endpointForms)
	flags.StringVar(&t.to, "to", "", "destination, in the same words")
	flags.StringVar(&t.port, "port", "", "the destination's port and protocol, 50002/TCP")
	flags.StringVar(&t.flows, "flows", "", "file of flows, one JSON object a line; - for standard input")
	flags.StringVarP(&t.output, "output", "o", "text", "text or json, for one flow")
	return command
}

func (t *tracing) run(command *cobra.Command, _ []string) error {
	one := t.from != "" && t.to != "" && t.port != ""
	if one == (t.flows != "") || t.flows != "" && t.from+t.to+t.port != "" {
		return errFlow
	}
	if t.output != "text" && t.output != "json" {
		return fmt.Errorf("-o: %w: %q; it is text or json", errFormat, t.output)
	}
	t.ciliumVersion = defaultCilium
	w, files, err := t.ask(command)
	if err != nil {
		return err
	}
	all, err := w.All(command.Context())
	if err != nil {
		return err
	}
	for _, setting := range all.View.Cilium.Unmodelled {
		command.PrintErrf("Cilium's setting %s changes verdicts: those below may be otherwise.\n", setting)
	}
	if err := tell(command, problems(files, w)); err != nil {
		return err
	}
	if t.flows != "" {
		return t.many(command, all)
	}
	flow, err := t.flow(all)
	if err != nil {
		return err
	}
	verdict := all.Set.Verdict(flow)
	if err := writeVerdict(command.OutOrStdout(), verdict, t.output); err != nil {
		return err
	}
	if !verdict.Allowed() {
		return &exit{status: exitFindings, err: errRefused}
	}
	return nil
}

// flow is the one of the command line.
func (t *tracing) flow(all policy.World) (policy.Flow, error) {
	from, err := endpointOf(all.View, t.from)
	if err != nil {
		return policy.Flow{}, fmt.Errorf("--from: %w", err)
	}
	to, err := endpointOf(all.View, t.to)
	if err != nil {
		return policy.Flow{}, fmt.Errorf("--to: %w", err)
	}
	port, protocol, err := portOf(t.port)
	if err != nil {
		return policy.Flow{}, fmt.Errorf("--port: %w", err)
	}
	return policy.Flow{From: from, To: to, Port: port, Protocol: protocol}, nil
}

// writeVerdict writes one verdict for people or programs.
func writeVerdict(out io.Writer, v policy.Verdict, format string) error {
	if format == "json" {
		return json.NewEncoder(out).Encode(v)
	}
	word := map[bool]string{true: "allowed", false: "denied"}
	var b strings.Builder
	for _, d := range []struct {
		name    string
		allowed bool
		by      policy.Decision
	}{{"egress", v.Egress, v.EgressBy}, {"ingress", v.Ingress, v.IngressBy}} {
		fmt.Fprintf(&b, "%-8s %-8s %s", d.name, word[d.allowed], d.by.Why)
		if d.by.Policy != "" {
			fmt.Fprintf(&b, " (%s, spec %d, rule %d)", d.by.Policy, d.by.Spec, d.by.Rule)
		}
		b.WriteString("\n")
	}
	for _, u := range v.Unjudged {
		fmt.Fprintf(&b, "%-8s %s\n", "unjudged", u)
	}
	fmt.Fprintf(&b, "%-8s %s\n", "flow", word[v.Allowed()])
	_, err := io.WriteString(out, b.String())
	return err
}

// maxFlow is the longest line of a flow, in bytes.
const maxFlow = 1 << 20

// many judges a file of flows, line by line.
func (t *tracing) many(command *cobra.Command, all policy.World) (err error) {
	source := command.InOrStdin()
	if t.flows != "-" {
		file, err := os.Open(t.flows)
		if err != nil {
			return fmt.Errorf("--flows: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		source = file
	}
	out := bufio.NewWriter(command.OutOrStdout())
	encoder := json.NewEncoder(out)
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, maxFlow)
	for number := 1; lines.Scan(); number++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var flow policy.Flow
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&flow); err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("--flows: line %d: %w", number, err))
		}
		for _, end := range []*policy.Endpoint{&flow.From, &flow.To} {
			if end.NamespaceLabels == nil && end.Namespace != "" {
				end.NamespaceLabels = all.View.Namespaces[end.Namespace]
			}
		}
		if err := encoder.Encode(all.Set.Verdict(flow)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("--flows: %w", err)
	}
	return out.Flush()
}
