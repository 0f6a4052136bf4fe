// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// containerEnv names the file that tells a process which container to become.
const containerEnv = "DAPRISE_TEST_CONTAINER"

// Container must be called first thing in the program that uses a Kubelet. In
// a process that a Kubelet started to be a container it does not return: the
// process becomes the container's command. In any other it does nothing.
func Container() {
	path := os.Getenv(containerEnv)
	if path == "" {
		return
	}
	err := become(path)
	_, _ = fmt.Fprintln(os.Stderr, "container:", err)
	os.Exit(128)
}

// become returns only an error.
func become(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var in inside
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	// Namespaces belong to threads until the thread that is in them executes the program.
	runtime.LockOSThread()
	if err := in.enterNetwork(); err != nil {
		return fmt.Errorf("enter the network: %w", err)
	}
	if err := in.mountAll(); err != nil {
		return err
	}
	if err := syscall.Chroot(in.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir(cmp.Or(in.Dir, "/")); err != nil {
		return err
	}
	if err := in.giveUpRights(); err != nil {
		return err
	}
	return fmt.Errorf("execute %s: %w", in.Args[0], syscall.Exec(in.Args[0], in.Args, in.Env))
}

func (in inside) enterNetwork() error {
	namespace, err := os.Open(filepath.Join("/run/netns", in.Namespace))
	if err != nil {
		return err
	}
	defer func() { _ = namespace.Close() }()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	// As with today's container runtimes: ports below 1024 need no privilege.
	return os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0o644)
}

func (in inside) mountAll() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("namespaces for mounts and the host name: %w", err)
	}
	if err := unix.Sethostname([]byte(in.Hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := (bind{From: in.Root, To: "/"}).mount(in.Root); err != nil {
		return err
	}
	proc := filepath.Join(in.Root, "proc")
	if err := unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, b := range in.Binds {
		if err := b.mount(in.Root); err != nil {
			return err
		}
	}
	if !in.ReadOnlyRoot {
		return nil
	}
	return unix.Mount("", in.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

// mount makes the place for it, too.
func (b bind) mount(root string) error {
	to := filepath.Join(root, b.To)
	info, err := os.Stat(b.From)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), touch(to))
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(b.From, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", b.From, to, err)
	}
	if !b.ReadOnly {
		return nil
	}
	if err := unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", to, err)
	}
	return nil
}

func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// giveUpRights becomes the container's user, who has no capability at all: the
// kernel takes them from whoever leaves user 0.
func (in inside) giveUpRights() error {
	err := errors.Join(
		syscall.Setgroups(nil),
		syscall.Setresgid(int(in.Group), int(in.Group), int(in.Group)),
		syscall.Setresuid(int(in.User), int(in.User), int(in.User)),
	)
	if err != nil {
		return fmt.Errorf("become user %d: %w", in.User, err)
	}
	if in.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("no new privileges: %w", err)
		}
	}
	// Changing the user has cleared it.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0)
}
