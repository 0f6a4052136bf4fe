// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// network gives Pods their addresses. Every Pod is alone at the end of a link
// of its own (veth) and is routed to by its address, as with Cilium and Calico:
// whatever goes from Pod to Pod passes the node's forwarding, where the rules
// of Services (and of policies) hold for it. On a bridge, a reply would go
// around them.
type network struct {
	node netip.Addr
	pods netip.Prefix

	mu   sync.Mutex
	next netip.Addr
	free []netip.Addr
}

// podNetwork is one Pod's place in it.
type podNetwork struct {
	name    string // of the network namespace and of the link's end at the node
	address netip.Addr
}

var errNoAddress = errors.New("the node's range of pod addresses is used up")

func newNetwork(options Options) *network {
	return &network{node: options.Address, pods: options.Pods.Masked(), next: options.Pods.Masked().Addr().Next()}
}

func (n *network) take() (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	address := n.next
	if n.pods.Contains(address) {
		n.next = address.Next()
		return address, nil
	}
	// Addresses come around as late as possible: a client that still holds an old
	// one should meet nobody.
	if len(n.free) == 0 {
		return netip.Addr{}, errNoAddress
	}
	address, n.free = n.free[0], n.free[1:]
	return address, nil
}

func (n *network) giveBack(address netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.free = append(n.free, address)
}

// setUp makes a network namespace with one address, whose way out is the node.
func (n *network) setUp(ctx context.Context) (podNetwork, error) {
	address, err := n.take()
	if err != nil {
		return podNetwork{}, err
	}
	pod := podNetwork{name: networkName(address), address: address}
	const peer = "peer0"
	script := []string{
		"netns add " + pod.name,
		"link add " + pod.name + " type veth peer name " + peer,
		"link set " + peer + " netns " + pod.name + " name eth0",
		"link set " + pod.name + " up",
		"-n " + pod.name + " link set lo up",
		"-n " + pod.name + " addr add " + address.String() + "/32 dev eth0",
		"-n " + pod.name + " link set eth0 up",
		"-n " + pod.name + " route add " + n.node.String() + " dev eth0 scope link",
		"-n " + pod.name + " route add default via " + n.node.String() + " src " + address.String(),
		"route replace " + address.String() + "/32 dev " + pod.name,
	}
	// One at a time: the peer has the same name for a moment.
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range script {
		if err := ip(ctx, line); err != nil {
			return pod, err
		}
	}
	return pod, nil
}

func networkName(address netip.Addr) string {
	octets := address.As4()
	return fmt.Sprintf("pod%d-%d", octets[2], octets[3])
}

// tearDown removes the namespace and with it both ends of the link.
func (n *network) tearDown(pod podNetwork) error {
	err := ip(context.Background(), "netns delete "+pod.name)
	n.giveBack(pod.address)
	return err
}

func ip(ctx context.Context, line string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// DialFrom connects to an address from a Pod's place in the network.
func (k *Kubelet) DialFrom(ctx context.Context, pod *corev1.Pod, address string) (net.Conn, error) {
	own, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return nil, fmt.Errorf("dial from %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	place, err := os.Open(filepath.Join("/run/netns", networkName(own)))
	if err != nil {
		return nil, fmt.Errorf("dial from %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	defer func() { _ = place.Close() }()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine and with it the change.
		runtime.LockOSThread()
		if err := unix.Setns(int(place.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: os.NewSyscallError("setns", err)}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
