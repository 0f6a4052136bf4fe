// SPDX-License-Identifier: Apache-2.0

//go:build linux

package enforce

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// anyOther stands for all ports that nobody names.
const anyOther uint16 = 1

// render turns the state into a script for nft, the same for the same verdicts.
func (e *Enforcer) render(s state) (string, error) {
	var flows []flow
	for _, from := range s.groups {
		for _, to := range s.groups {
			for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
				for _, port := range append(sortedPorts(s.ports, to.ports), anyOther) {
					flows = append(flows, flow{from: from.key, to: to.key, port: port, protocol: protocol})
				}
			}
		}
	}
	allowed, err := e.verdicts.judge(s.policies, flows)
	if err != nil {
		return "", err
	}
	var known, one, others []string
	for _, to := range s.groups {
		for _, port := range sortedPorts(s.ports, to.ports) {
			for _, address := range to.addresses {
				known = append(known, fmt.Sprintf("%s . tcp . %d", address, port), fmt.Sprintf("%s . udp . %d", address, port))
			}
		}
		for _, from := range s.groups {
			for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
				lower := strings.ToLower(string(protocol))
				for _, pair := range pairs(from.addresses, to.addresses) {
					if allowed[flow{from.key, to.key, anyOther, protocol}] {
						others = append(others, pair+" . "+lower)
					}
					for _, port := range sortedPorts(s.ports, to.ports) {
						if allowed[flow{from.key, to.key, port, protocol}] {
							one = append(one, fmt.Sprintf("%s . %s . %d", pair, lower, port))
						}
					}
				}
			}
		}
	}
	return script(e.options, map[string][]string{"known": known, "one": one, "others": others}), nil
}

// pairs are all from one of a to another of b: a Pod always reaches itself.
func pairs(a, b []netip.Addr) []string {
	var found []string
	for _, from := range a {
		for _, to := range b {
			if from != to {
				found = append(found, from.String()+" . "+to.String())
			}
		}
	}
	return found
}

func script(o Options, sets map[string][]string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	elements := func(name, kind string) {
		values := sets[name]
		slices.Sort(values)
		line("set %s { type %s;", name, kind)
		if len(values) > 0 {
			line("elements = { %s }", strings.Join(values, ",\n"))
		}
		line("}")
	}
	// Table by table is atomic: there is no moment without rules.
	line("table ip policies\ndelete table ip policies\ntable ip policies {")
	elements("known", "ipv4_addr . inet_proto . inet_service")
	elements("one", "ipv4_addr . ipv4_addr . inet_proto . inet_service")
	elements("others", "ipv4_addr . ipv4_addr . inet_proto")
	line("chain judge {")
	line("ct direction reply accept")
	line("ct state related accept")
	line("ip protocol icmp accept")
	line("ip daddr . ip protocol . th dport @known goto named")
	line("ip saddr . ip daddr . ip protocol @others accept")
	line("counter drop\n}")
	line("chain named {")
	line("ip saddr . ip daddr . ip protocol . th dport @one accept")
	line("counter drop\n}")
	for _, hook := range []string{"forward", "input"} {
		// From the node itself nothing passes these hooks on its way to a Pod.
		line("chain %s { type filter hook %s priority filter; policy accept; ip saddr %s goto judge; }", hook, hook, o.Pods)
	}
	line("}")
	return b.String()
}

func load(ctx context.Context, script string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %.2000s", err, out)
	}
	return nil
}
