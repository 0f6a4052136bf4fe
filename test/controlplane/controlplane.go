// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/daprise/daprise/test/controlplane/parts"
)

const (
	// startLimit is for a loaded machine; without load a start takes a tenth.
	startLimit = 3 * time.Minute
	poll       = 50 * time.Millisecond
	// grace is how long a program may take to end by itself where it matters. An
	// API server with open watches would take much longer, to no use: its data is etcd's.
	grace = 3 * time.Second
)

// ControlPlane is a running control plane. Its methods may be called from
// several goroutines.
type ControlPlane struct {
	options  Options
	place    *place
	programs parts.Programs
	modules  parts.Modules
	ports    ports
	ca       *authority
	admin    *rest.Config
	kube     kubernetes.Interface
	dynamic  dynamic.Interface

	mu        sync.Mutex
	processes []*process // in order of start
	stopped   bool
}

// Start builds what is missing (minutes, once), starts a control plane and
// returns when its nodes are Ready, the CRDs are served and pods can be made
// in namespace default. A start takes some ten seconds. Stop must be called on it.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start a control plane: %w", err)
	}
	cp := &ControlPlane{options: options}
	if err := cp.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a control plane: %w", err), cp.Stop())
	}
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context) error {
	root, err := parts.Root()
	if err != nil {
		return err
	}
	if cp.programs, err = parts.Build(ctx, root, cp.options.Log); err != nil {
		return err
	}
	if cp.modules, err = parts.FindModules(ctx, root, cp.options.Log); err != nil {
		return err
	}
	if cp.place, err = takePlace(ctx, parts.CacheDir(root), cp.options); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errStartLimit)
	defer cancel()
	if err := cp.prepare(); err != nil {
		return err
	}
	if err := cp.startServer(ctx); err != nil {
		return err
	}
	if err := cp.startCluster(ctx); err != nil {
		return err
	}
	cp.options.tell("ready in %.1f s", time.Since(began).Seconds())
	return nil
}

var errStartLimit = fmt.Errorf("not started within %s", startLimit)

// prepare chooses the ports and writes the credentials.
func (cp *ControlPlane) prepare() error {
	var err error
	if cp.ports, err = choosePorts(cp.options.Port); err != nil {
		return err
	}
	if cp.ca, err = newAuthority(); err != nil {
		return err
	}
	if err = cp.ca.writePKI(cp.Dir()); err != nil {
		return err
	}
	if err = cp.writeCredentials(); err != nil {
		return err
	}
	if cp.kube, err = kubernetes.NewForConfig(cp.admin); err != nil {
		return err
	}
	quiet := cp.AdminConfig()
	quiet.WarningHandler = rest.NoWarnings{} // CRDs of others bring warnings that nobody here can act on
	if cp.dynamic, err = dynamic.NewForConfig(quiet); err != nil {
		return err
	}
	return cp.writeAuditPolicy()
}

// startServer starts etcd and the API server and waits for the latter.
func (cp *ControlPlane) startServer(ctx context.Context) error {
	if err := cp.run(etcd, etcdFlags(cp.Dir(), cp.ports)); err != nil {
		return err
	}
	return cp.StartAPIServer(ctx)
}

// startCluster brings up the rest. The controller manager comes after the
// CRDs: its garbage collector learns of new kinds only every half minute.
func (cp *ControlPlane) startCluster(ctx context.Context) error {
	if cp.options.Nodes != NoNodes {
		stages := filepath.Join(cp.modules.Module(parts.ModuleKwok).Dir, "kustomize", "stage", "fast")
		if err := cp.run(kwok, cp.kwokFlags(stages)); err != nil {
			return err
		}
	}
	if err := cp.run(scheduler, cp.schedulerFlags()); err != nil {
		return err
	}
	if err := cp.createNodes(ctx); err != nil {
		return err
	}
	if err := cp.InstallCRDs(ctx, cp.options.CRDs...); err != nil {
		return err
	}
	if err := cp.run(controllerManager, cp.controllerManagerFlags()); err != nil {
		return err
	}
	return errors.Join(cp.waitNodes(ctx), cp.waitDefaultServiceAccount(ctx))
}

// run starts one of the built programs and remembers it for Stop.
func (cp *ControlPlane) run(name string, args []string) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	p, err := startProcess(command{
		name:     name,
		path:     cp.programs.Path(name),
		args:     args,
		dir:      cp.Dir(),
		log:      cp.LogPath(name),
		lifetime: cp.options.Lifetime,
	})
	if err != nil {
		return err
	}
	cp.processes = append(cp.processes, p)
	return cp.place.writePIDs(cp.processes)
}

// wait polls until done holds. It fails as soon as a program of the control
// plane has ended, done fails, or ctx ends.
func (cp *ControlPlane) wait(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if deadErr := cp.Alive(); deadErr != nil {
			return deadErr
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// Alive returns an error with the end of the log of each program that ended
// though nobody stopped it.
func (cp *ControlPlane) Alive() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var errs []error
	for _, p := range cp.processes {
		errs = append(errs, p.running())
	}
	return errors.Join(errs...)
}

// Dir is the folder of data, logs and credentials.
func (cp *ControlPlane) Dir() string { return cp.place.dir }

// LogPath is the log of a program, for example kube-apiserver.
func (cp *ControlPlane) LogPath(program string) string { return cp.file(program + ".log") }

func (cp *ControlPlane) file(name string) string { return filepath.Join(cp.Dir(), name) }

// Stop ends all processes, waits until they are gone, and removes the folder
// unless Options.Dir named it. It may be called more than once.
func (cp *ControlPlane) Stop() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped || cp.place == nil {
		return nil
	}
	cp.stopped = true
	patience := time.Duration(0)
	if cp.place.kept {
		patience = grace
	}
	var errs []error
	// Backwards: nothing should log that what it needs is gone.
	for i := len(cp.processes) - 1; i >= 0; i-- {
		errs = append(errs, cp.processes[i].stop(patience))
	}
	cp.processes = nil
	return errors.Join(append(errs, cp.place.leave())...)
}
