// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// process is one run of a container.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start prepares a root file system and starts the container's command in it:
// this program is run again and becomes the container (Container).
func (c *container) start(ctx context.Context) (*process, error) {
	inside, err := c.inside(ctx)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(inside)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.worker.dir, c.spec.Name+".json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	logPath := c.worker.k.PodLog(c.worker.pod.Namespace, c.worker.pod.Name, c.spec.Name)
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{containerEnv + "=" + path}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, log: logPath, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ends the child when the *thread* that started it ends: keep the
		// thread for as long as the child runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // ProcessState tells
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return p, nil
}

// signal reaches the process' group, if it has not been waited for: its id may
// belong to somebody else afterwards.
func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, signal) // gone already: as wanted
	}
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// exitCode follows the shell's convention for signals, as container runtimes do.
func (p *process) exitCode() int {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// tail returns the last lines of a file, for messages.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
