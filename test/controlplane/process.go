// SPDX-License-Identifier: Apache-2.0

//go:build unix

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// command is what to run and where its output goes.
type command struct {
	name     string // of the process, in messages and as NAME.log
	path     string
	args     []string
	dir      string
	log      string
	lifetime Lifetime
}

// process is a running command in a process group of its own: Ctrl-C on the
// terminal reaches only the starter, which then stops things in order.
type process struct {
	command
	pid  int
	done chan struct{}
	// exit is what Wait returned; read it only after done is closed.
	exit error
}

// startProcess returns once the process runs. Its output is appended to the log.
func startProcess(c command) (*process, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = processAttributes(c.lifetime)
	p := &process{command: c, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ends the child when the *thread* that started it ends: keep the
		// thread for as long as the child runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.exit = cmd.Wait()
		}
		close(p.done)
	}()
	// The child has its own copy of the log's descriptor.
	if err := errors.Join(<-started, log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return p, nil
}

// running reports an error with the end of the log once the process has ended.
func (p *process) running() error {
	select {
	case <-p.done:
		ended := fmt.Errorf("%s ended; the end of %s:\n%s", p.name, p.log, tail(p.log, 15))
		return errors.Join(ended, p.exit)
	default:
		return nil
	}
}

// stop asks the process to end, ends its group after the grace period, and
// returns when it is gone. It may be called on nil and more than once.
func (p *process) stop(grace time.Duration) error {
	if p == nil {
		return nil
	}
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(grace):
		}
	}
	p.signal(syscall.SIGKILL)
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("stop %s: process %d is still there 10 s after SIGKILL", p.name, p.pid)
	}
}

// signal reaches the group, if the process has not been waited for: its id
// may belong to somebody else afterwards.
func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.done:
	default:
		// The only error is that the group is gone already.
		_ = syscall.Kill(-p.pid, signal)
	}
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
