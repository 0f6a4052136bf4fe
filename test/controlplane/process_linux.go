// SPDX-License-Identifier: Apache-2.0

package controlplane

import "syscall"

// processAttributes puts the process in a group of its own. WithStarter asks
// the kernel to end it with the thread that started it.
func processAttributes(lifetime Lifetime) *syscall.SysProcAttr {
	if lifetime == Detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
