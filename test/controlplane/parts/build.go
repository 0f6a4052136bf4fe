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

// Programs are the built programs of a control plane.
type Programs struct{ paths map[string]string }

// Path returns where the program of that name is.
func (p Programs) Path(name string) string { return p.paths[name] }

// program is one thing to build: a main package of a module and the
// name of the file made of it.
type program struct {
	pkg, name string
	// generated says that the module points to folders made below the project's root.
	generated bool
}

// surroundings are the programs beside Kubernetes, and the small ones: built first, so that a broken setup shows early.
func surroundings() []program {
	return []program{
		{pkg: "go.etcd.io/etcd/server/v3", name: "etcd"},
		{pkg: "sigs.k8s.io/kwok/cmd/kwok", name: "kwok"},
	}
}

// kubernetes are the programs of Kubernetes, in the order in which they are built.
func kubernetes() []program {
	return []program{
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
func (p program) flags(ldflags string) []string {
	flags := buildFlags()
	flags[len(flags)-1] += ldflags
	if p.generated {
		return append([]string{"-trimpath"}, flags...)
	}
	return flags
}

// Build makes the programs of the control plane of the chosen release for the checkout at root and
// returns where they are. What exists is not built again: the key of a folder
// is a hash of its module's go.mod, go.sum and tools.go, the Go version and the
// build flags, and a program appears in it only when it is complete. Processes
// that build at once wait for one another. A cold build takes about ten minutes
// on two cores; log gets a line every 15 seconds.
func Build(ctx context.Context, root string, log io.Writer) (Programs, error) {
	release, err := ChosenRelease()
	if err != nil {
		return Programs{}, fmt.Errorf("build the control plane: %w", err)
	}
	all, err := sets(root, release)
	if err != nil {
		return Programs{}, fmt.Errorf("build the control plane: %w", err)
	}
	built := Programs{paths: map[string]string{}}
	for _, s := range all {
		dir, err := s.dir(root)
		if err != nil {
			return Programs{}, fmt.Errorf("build the control plane: %w", err)
		}
		for _, one := range s.programs {
			built.paths[one.name] = dir.path(one.name)
		}
		if err := s.build(ctx, dir, log); err != nil {
			return built, err
		}
	}
	return built, nil
}

// dir is the folder of the set's programs.
func (s set) dir(root string) (folder, error) {
	key, err := hashFiles(s.module, "go.mod", "go.sum", "tools.go")
	if err != nil {
		return "", err
	}
	return folder(filepath.Join(CacheDir(root), key, "bin")), nil
}

// build makes what is missing in dir.
func (s set) build(ctx context.Context, dir folder, log io.Writer) error {
	if len(s.missing(dir)) == 0 {
		return nil
	}
	if err := os.MkdirAll(string(dir), 0o755); err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	lock, err := LockAny(ctx, log, "another build of the control plane", filepath.Join(filepath.Dir(filepath.Dir(string(dir))), "build.lock"))
	if err != nil {
		return err
	}
	err = s.buildMissing(ctx, dir, log)
	return errors.Join(err, lock.Unlock())
}

func (s set) missing(dir folder) []program {
	var missing []program
	for _, prog := range s.programs {
		if _, err := os.Stat(dir.path(prog.name)); err != nil {
			missing = append(missing, prog)
		}
	}
	return missing
}

func (s set) buildMissing(ctx context.Context, dir folder, log io.Writer) error {
	missing := s.missing(dir)
	started := time.Now()
	for i, prog := range missing {
		label := fmt.Sprintf("%s (%d of %d)", prog.name, i+1, len(missing))
		if err := s.buildOne(ctx, dir, prog, progress{log: log, label: label}); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		tell(log, "built %d programs in %d s", len(missing), int(time.Since(started).Seconds()))
	}
	return nil
}

// folder is where programs are kept.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// buildOne writes the program beside its place and renames it, so that a
// program that exists is whole.
func (s set) buildOne(ctx context.Context, dir folder, prog program, shown progress) error {
	unfinished := dir.path(".unfinished-" + prog.name)
	args := append([]string{"build", "-o", unfinished}, prog.flags(s.ldflags)...)
	cmd := exec.CommandContext(ctx, "go", append(args, prog.pkg)...)
	cmd.Dir = s.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stop := shown.start()
	err := cmd.Run()
	stop(err)
	if err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", prog.pkg, s.module, err, strings.TrimSpace(output.String()))
	}
	if err := os.Rename(unfinished, dir.path(prog.name)); err != nil {
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
