// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolatedEnv is set in the process that runs in namespaces of its own.
const isolatedEnv = "DAPRISE_TEST_ISOLATED"

// ErrNotAllowed says that this process may not make namespaces.
var ErrNotAllowed = errors.New("network, mount and process namespaces need root")

// IsIsolated says whether this process runs in namespaces that Isolate made.
func IsIsolated() bool { return os.Getenv(isolatedEnv) != "" }

// Isolate runs this program again, with the same arguments and further
// environment, in a network, mount and process namespace of its own, and returns
// its exit code. Its namespaces end with it, and it ends with this process. The
// network has no way out: whatever has to be downloaded must be there already.
func Isolate(env []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// Linux ends the child when the *thread* that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(append(os.Environ(), env...), isolatedEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Start()
	if errors.Is(err, syscall.EPERM) {
		return 0, errors.Join(ErrNotAllowed, err)
	}
	if err != nil {
		return 0, fmt.Errorf("make namespaces: %w", err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // -1 for a signal
	}
	return 0, err
}

// Addresses of the cluster. They exist in the test's own namespaces alone.
const (
	nodeName      = "node-1"
	nodeAddress   = "10.240.0.1"
	podRange      = "10.244.0.0/16"
	dnsAddress    = "10.96.0.10"
	clusterDomain = "cluster.local"
)

// setUpNode makes the process' namespaces those of a node. A default route is
// needed for Services: a packet is routed before its address is translated.
func setUpNode(ctx context.Context) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// Names of network namespaces, seen and kept by this mount namespace alone.
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("netns", "/run/netns", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run/netns: %w", err)
	}
	for _, line := range []string{
		"link set lo up",
		"addr add " + nodeAddress + "/32 dev lo",
		"link add uplink type veth peer name nowhere",
		"link set uplink up",
		"link set nowhere up",
		"route add default dev uplink src " + nodeAddress,
	} {
		out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func podPrefix() netip.Prefix { return netip.MustParsePrefix(podRange) }
