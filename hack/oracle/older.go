// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/daprise/daprise/hack/oracle/wire"
	"github.com/daprise/daprise/mesh/policy"
)

// ErrCrash says that an older Cilium crashes over a set of policies, so that it has no answer.
var ErrCrash = errors.New("crash")

// Older is the policy engine of an older Cilium, which runs as a program of its own (cilium116 to cilium119). It is not safe for concurrent
// use.
type Older struct {
	command  *exec.Cmd
	stdin    io.Closer
	requests *json.Encoder
	answers  *json.Decoder
}

// RunOlder starts the program. Close ends it.
func RunOlder(program string) (*Older, error) {
	o := &Older{command: exec.Command(program)}
	o.command.Stderr = os.Stderr
	stdin, err := o.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", program, err)
	}
	stdout, err := o.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", program, err)
	}
	o.stdin, o.requests, o.answers = stdin, json.NewEncoder(stdin), json.NewDecoder(stdout)
	if err := o.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return o, nil
}

// Close ends the program and waits for it.
func (o *Older) Close() error {
	return errors.Join(o.stdin.Close(), o.command.Wait())
}

// Load takes a set of objects in place of the last, as New does; refused has Cilium's error for each that it does not accept, by place.
func (o *Older) Load(objects ...any) (refused map[int]error, err error) {
	request := wire.Request{Objects: []wire.Object{}}
	for _, object := range objects {
		body, err := encode(object)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", object, err)
		}
		kind, err := kindOf(object)
		if err != nil {
			return nil, err
		}
		request.Objects = append(request.Objects, wire.Object{Kind: kind, Body: body})
	}
	answer, err := o.ask(request)
	if err != nil {
		return nil, err
	}
	if answer.Crash != "" {
		return nil, fmt.Errorf("%w: %s", ErrCrash, answer.Crash)
	}
	refused = map[int]error{}
	for i, reason := range answer.Refused {
		refused[i] = errors.New(reason)
	}
	return refused, nil
}

func kindOf(object any) (string, error) {
	switch object.(type) {
	case *ciliumv2.CiliumNetworkPolicy:
		return wire.KindCNP, nil
	case *ciliumv2.CiliumClusterwideNetworkPolicy:
		return wire.KindCCNP, nil
	case *networkingv1.NetworkPolicy:
		return wire.KindKNP, nil
	case *ciliumv2.CiliumCIDRGroup:
		return wire.KindCIDRGroup, nil
	default:
		return "", fmt.Errorf("no policy: %T", object)
	}
}

// Verdict is what the engine says about a flow, on the same terms as that of Engine.
func (o *Older) Verdict(f policy.Flow) (ingress, egress bool, err error) {
	flow := wire.Flow{From: wired(f.From), To: wired(f.To), Port: uint16(f.Port), Protocol: string(f.Protocol), Ports: map[string]uint16{}}
	for name, number := range f.To.Ports {
		flow.Ports[name] = uint16(number)
	}
	answer, err := o.ask(wire.Request{Flow: &flow})
	if err != nil {
		return false, false, err
	}
	if answer.Crash != "" {
		return false, false, fmt.Errorf("%w: %s", ErrCrash, answer.Crash)
	}
	if answer.Error != "" {
		return false, false, fmt.Errorf("%w: %s", ErrConflict, answer.Error)
	}
	return answer.Ingress, answer.Egress, nil
}

func (o *Older) ask(r wire.Request) (a wire.Answer, err error) {
	if err := o.requests.Encode(r); err != nil {
		return a, fmt.Errorf("ask: %w", err)
	}
	if err := o.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("hear: %w", err)
	}
	return a, nil
}

func wired(p policy.Endpoint) wire.Endpoint {
	if p.Entity != "" || p.Address.IsValid() {
		return wire.Endpoint{Entity: p.Entity, Address: p.Address}
	}
	return wire.Endpoint{Labels: podLabels(p), Remote: p.Cluster != "" && p.Cluster != Cluster}
}
