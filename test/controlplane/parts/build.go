// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Programs is the folder of the built programs.
type Programs struct{ dir string }

// Path returns where the program of that name is.
func (p Programs) Path(name string) string { return filepath.Join(p.dir, name) }

// program is one thing to build: a main package of hack/controlplane and the
// name of the file made of it.
type program struct {
	pkg, name string
	// generated says that the module points to folders made below the project's root.
	generated bool
}

// programs in the order in which they are built: the small ones first, so that
// a broken setup shows early.
func programs() []program {
	return []program{
		{pkg: "go.etcd.io/etcd/server/v3", name: "etcd"},
		{pkg: "sigs.k8s.io/kwok/cmd/kwok", name: "kwok"},
		{pkg: "k8s.io/kubernetes/cmd/kube-apiserver", name: "kube-apiserver"},
		{pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", name: "kube-controller-manager"},
		{pkg: "k8s.io/kubernetes/cmd/kube-scheduler", name: "kube-scheduler"},
		{pkg: "k8s.io/kubernetes/cmd/kubectl", name: "kubectl"},
	}
}

// buildFlags are part of the key under which the programs are kept. They are those of `make test`: what the programs have in common with the
// tests, most of Kubernetes' client libraries, is compiled once.
func buildFlags() []string { return []string{"-ldflags", "-s -w"} }

// flags are buildFlags, and for modules with folders below the project's root -trimpath, which keeps what is compiled of them usable from
// another checkout. Folders of Go's module cache are the same from everywhere.
func (p program) flags() []string {
	if p.generated {
		return append([]string{"-trimpath"}, buildFlags()...)
	}
	return buildFlags()
}

// Build makes the programs of the control plane for the checkout at root and
// returns where they are. What exists is not built again: the key of the folder
// is a hash of hack/controlplane's go.mod, go.sum and tools.go, the Go version and the
// build flags, and a program appears in it only when it is complete. Processes
// that build at once wait for one another. A cold build takes about ten minutes
// on two cores; log gets a line every 15 seconds.
func Build(ctx context.Context, root string, log io.Writer) (Programs, error) {
	module := filepath.Join(root, "hack", "controlplane")
	key, err := hashFiles(module, "go.mod", "go.sum", "tools.go")
	if err != nil {
		return Programs{}, fmt.Errorf("build the control plane: %w", err)
	}
	built := Programs{dir: filepath.Join(CacheDir(root), key, "bin")}
	if len(built.missing()) == 0 {
		return built, nil
	}
	if err := os.MkdirAll(built.dir, 0o755); err != nil {
		return Programs{}, fmt.Errorf("build the control plane: %w", err)
	}
	lock, err := LockAny(ctx, log, "another build of the control plane", filepath.Join(CacheDir(root), "build.lock"))
	if err != nil {
		return Programs{}, err
	}
	err = built.buildMissing(ctx, module, log)
	return built, errors.Join(err, lock.Unlock())
}

func (p Programs) missing() []program {
	var missing []program
	for _, prog := range programs() {
		if _, err := os.Stat(p.Path(prog.name)); err != nil {
			missing = append(missing, prog)
		}
	}
	return missing
}

func (p Programs) buildMissing(ctx context.Context, module string, log io.Writer) error {
	missing := p.missing()
	started := time.Now()
	for i, prog := range missing {
		label := fmt.Sprintf("%s (%d of %d)", prog.name, i+1, len(missing))
		if err := p.buildOne(ctx, module, prog, progress{log: log, label: label}); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		tell(log, "built %d programs in %d s", len(missing), int(time.Since(started).Seconds()))
	}
	return nil
}

// buildOne writes the program beside its place and renames it, so that a
// program that exists is whole.
func (p Programs) buildOne(ctx context.Context, module string, prog program, shown progress) error {
	unfinished := p.Path(".unfinished-" + prog.name)
	args := append([]string{"build", "-o", unfinished}, prog.flags()...)
	cmd := exec.CommandContext(ctx, "go", append(args, prog.pkg)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stop := shown.start()
	err := cmd.Run()
	stop(err)
	if err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", prog.pkg, module, err, strings.TrimSpace(output.String()))
	}
	if err := os.Rename(unfinished, p.Path(prog.name)); err != nil {
		return fmt.Errorf("build %s: %w", prog.pkg, err)
	}
	return nil
}

// progress shows how long one build is taking.
type progress struct {
	log   io.Writer
	label string
}

// start tells of the build now and every 15 seconds until the function that it
// returns is called with the build's result.
func (p progress) start() (stop func(error)) {
	started := time.Now()
	seconds := func() int { return int(time.Since(started).Seconds()) }
	tell(p.log, "building %s", p.label)
	ticker, done, ended := time.NewTicker(tellEvery), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				tell(p.log, "building %s: %d s", p.label, seconds())
			}
		}
	}()
	return func(err error) {
		ticker.Stop()
		close(done)
		<-ended
		if err == nil {
			tell(p.log, "built %s in %d s", p.label, seconds())
		}
	}
}

// hashFiles is the key of what is made from the named files of dir with this
// Go version and these build flags: 16 hexadecimal digits.
func hashFiles(dir string, names ...string) (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, runtime.Version(), runtime.GOOS, runtime.GOARCH, buildFlags())
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintln(hash, name, len(data))
		_, _ = hash.Write(data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}
