// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package controlplane

import "syscall"

// processAttributes puts the process in a group of its own. Only Linux can end
// it with its starter; elsewhere a killed starter leaves it to StopDir.
func processAttributes(lifetime Lifetime) *syscall.SysProcAttr {
	if lifetime == Detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
