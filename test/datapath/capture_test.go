// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Nothing between companions is readable; the same request is readable before
// them and behind them, so the capture would have shown it.
func TestNothingBetweenCompanionsIsReadable(t *testing.T) {
	w := theWorld(t)
	companions := map[string]bool{}
	for _, app := range []string{"whoami", "ingress"} {
		pods, err := w.ReadyPods(t.Context(), namespace, client.MatchingLabels{"daprise.dev/companion": app})
		if err != nil || len(pods) == 0 {
			t.Fatalf("no companion of %s: %v", app, err)
		}
		for _, pod := range pods {
			companions[pod.Status.PodIP] = true
		}
	}
	const secret = "a-value-that-nobody-else-sends"
	packets := capture(t, func(ctx context.Context) error {
		a, err := ask(ctx, request{path: "/" + secret, headers: [][2]string{{"X-Secret", secret}}})
		if err == nil && a.header.Get("X-Secret") != secret {
			err = fmt.Errorf("the app did not get the header: %s", a)
		}
		return err
	})
	var readable, between int
	for _, p := range packets {
		inside := companions[p.from] && companions[p.to]
		if inside {
			between++
		}
		if !bytes.Contains(p.data, []byte(secret)) {
			continue
		}
		readable++
		if inside {
			t.Errorf("readable from %s:%d to %s:%d", p.from, p.fromPort, p.to, p.toPort)
		}
	}
	if between == 0 {
		t.Error("nothing was captured between companions")
	}
	if readable == 0 {
		t.Error("nothing readable was captured anywhere: the capture is blind")
	}
}

// packet is a TCP segment over IPv4.
type packet struct {
	from, to         string
	fromPort, toPort uint16
	data             []byte
}

// capture returns what passed any link of the node while do ran.
func capture(t *testing.T, do func(context.Context) error) []packet {
	t.Helper()
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(network(unix.ETH_P_IP)))
	if err != nil {
		t.Fatal(err)
	}
	// A write of nothing wakes no reader of a packet socket: poll with a limit.
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(socket) }()
	done := make(chan error, 1)
	go func() { done <- do(t.Context()) }()
	var packets []packet
	buffer := make([]byte, 1<<16)
	var doErr error
	ended := time.Time{} // once do is done, what is under way still counts
	for ended.IsZero() || time.Since(ended) < 300*time.Millisecond {
		select {
		case doErr = <-done:
			ended = time.Now()
		default:
		}
		n, _, err := unix.Recvfrom(socket, buffer, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(os.NewSyscallError("recvfrom", err))
		}
		if p, ok := parse(buffer[:n]); ok {
			packets = append(packets, p)
		}
	}
	if doErr != nil {
		t.Fatal(doErr)
	}
	return packets
}

func network(port uint16) uint16 { return port<<8 | port>>8 }

func parse(ip []byte) (packet, bool) {
	if len(ip) < 20 || ip[9] != unix.IPPROTO_TCP {
		return packet{}, false
	}
	tcp := ip[int(ip[0]&15)*4:]
	if len(tcp) < 20 {
		return packet{}, false
	}
	address := func(b []byte) string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) }
	return packet{
		from: address(ip[12:16]), to: address(ip[16:20]),
		fromPort: binary.BigEndian.Uint16(tcp), toPort: binary.BigEndian.Uint16(tcp[2:]),
		data: bytes.Clone(tcp[20:]),
	}, true
}
