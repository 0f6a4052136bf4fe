// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"slices"
	"time"
)

// Program is a further process beside the control plane: a component under test. It lives as long as Options.Lifetime says, and
// Stop and StopDir end it before the control plane's own processes.
type Program struct {
	cp      *ControlPlane
	process *process
}

// StartProgram starts a program; its output is appended to LogPath(name).
func (cp *ControlPlane) StartProgram(name, path string, args ...string) (*Program, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	p, err := startProcess(command{
		name: name, path: path, args: args, dir: cp.Dir(), log: cp.LogPath(name), lifetime: cp.options.Lifetime,
	})
	if err != nil {
		return nil, err
	}
	cp.processes = append(cp.processes, p)
	return &Program{cp: cp, process: p}, cp.place.writePIDs(cp.processes)
}

// PID is the process id, also after the end.
func (p *Program) PID() int { return p.process.pid }

// Running fails with the end of the log once the program has ended.
func (p *Program) Running() error { return p.process.running() }

// Stop asks the program to end, kills it after patience (0: at once), and returns when it is gone.
func (p *Program) Stop(patience time.Duration) error {
	p.cp.mu.Lock()
	defer p.cp.mu.Unlock()
	p.cp.processes = slices.DeleteFunc(p.cp.processes, func(other *process) bool { return other == p.process })
	return p.process.stop(patience)
}
