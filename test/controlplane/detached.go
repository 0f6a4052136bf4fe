// SPDX-License-Identifier: Apache-2.0

//go:build unix

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// StopDir ends the processes of a detached control plane by the folder that
// Options.Dir named, and waits until they are gone. Where none runs it does
// nothing. Only processes that still run the program they were started
// with are touched.
func StopDir(dir string) error {
	alive := detachedProcesses(dir)
	// Backwards, as Stop does.
	for i := len(alive) - 1; i >= 0; i-- {
		_ = syscall.Kill(-alive[i].pid, syscall.SIGTERM) // gone already: as wanted
	}
	deadline := time.Now().Add(grace)
	for len(detachedProcesses(dir)) > 0 && time.Now().Before(deadline) {
		time.Sleep(poll)
	}
	for _, one := range detachedProcesses(dir) {
		_ = syscall.Kill(-one.pid, syscall.SIGKILL)
	}
	deadline = time.Now().Add(grace)
	for len(detachedProcesses(dir)) > 0 {
		if time.Now().After(deadline) {
			return fmt.Errorf("stop the control plane in %s: processes are still there", dir)
		}
		time.Sleep(poll)
	}
	err := os.Remove(filepath.Join(dir, filePIDs))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// detached is a process that was recorded and still runs its program.
type detached struct {
	pid  int
	path string
}

func detachedProcesses(dir string) []detached {
	file, err := os.Open(filepath.Join(dir, filePIDs))
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	var alive []detached
	for {
		var one detached
		if _, err := fmt.Fscanf(file, "%d %s\n", &one.pid, &one.path); err != nil {
			return alive
		}
		if one.isAlive() {
			alive = append(alive, one)
		}
	}
}

// isAlive compares the executable, since a process id may be somebody else's by now. Where
// there is no /proc, an existing process is taken for the recorded one.
func (d detached) isAlive() bool {
	if syscall.Kill(d.pid, 0) != nil {
		return false
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", d.pid))
	if err != nil {
		_, statErr := os.Stat("/proc/self/exe")
		return statErr != nil
	}
	return link == d.path
}
