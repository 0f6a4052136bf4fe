// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Module paths that Modules.Dir knows.
const (
	ModuleGatewayAPI  = "sigs.k8s.io/gateway-api"
	ModuleCilium      = "github.com/cilium/cilium"
	ModuleDapr        = "github.com/dapr/dapr"
	ModuleCertManager = "github.com/cert-manager/cert-manager"
	ModulePrometheus  = "github.com/prometheus-operator/prometheus-operator"
	ModuleKwok        = "sigs.k8s.io/kwok"
)

// Modules tells where the source of the pinned modules is: their manifests are
// read from there.
type Modules struct{ found map[string]Module }

// Module is one pinned module: its version and the folder in Go's module cache.
type Module struct{ Path, Version, Dir string }

// Module returns the pinned module of that path; the zero Module if it is not
// one of those named in this package.
func (m Modules) Module(path string) Module { return m.found[path] }

// FindModules returns the modules pinned in hack/controlplane/crds, or for the oldest
// release in hack/controlplane/oldest/crds, and kwok of hack/controlplane, at the
// versions and checksums given there. The go command downloads what the module cache lacks. Where they are is remembered in the
// cache folder, so that the next call needs no go command.
func FindModules(ctx context.Context, root string, log io.Writer) (Modules, error) {
	release, err := ChosenRelease()
	if err != nil {
		return Modules{}, fmt.Errorf("find the manifests: %w", err)
	}
	module := filepath.Join(root, "hack", "controlplane")
	crds := filepath.Join(string(release), "crds")
	key, err := hashFiles(module, "go.mod", "go.sum", filepath.Join(crds, "go.mod"), filepath.Join(crds, "go.sum"))
	if err != nil {
		return Modules{}, fmt.Errorf("find the manifests: %w", err)
	}
	remembered := filepath.Join(CacheDir(root), key, "modules.json")
	if found, ok := recall(remembered); ok {
		return found, nil
	}
	found, err := download(ctx, module, filepath.Join(module, crds), log)
	if err != nil {
		return Modules{}, err
	}
	return found, remember(remembered, found)
}

func download(ctx context.Context, module, crds string, log io.Writer) (Modules, error) {
	tell(log, "finding the modules of the manifests")
	found, err := goModDownload(ctx, crds, ModuleGatewayAPI, ModuleCilium, ModuleDapr, ModuleCertManager, ModulePrometheus)
	if err != nil {
		return Modules{}, err
	}
	kwok, err := goModDownload(ctx, module, ModuleKwok)
	if err != nil {
		return Modules{}, err
	}
	all := Modules{found: map[string]Module{}}
	for _, m := range append(found, kwok...) {
		all.found[m.Path] = m
	}
	return all, nil
}

// goModDownload asks for modules by path, so that their versions are the ones
// of the go.mod in dir and their content is checked against its go.sum.
func goModDownload(ctx context.Context, dir string, paths ...string) ([]Module, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"mod", "download", "-json"}, paths...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	var found []Module
	for decoder := json.NewDecoder(&stdout); ; {
		var m struct {
			Module
			Error string
		}
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("go mod download in %s: %w", dir, err)
		}
		if m.Error != "" {
			return nil, fmt.Errorf("download %s: %s", m.Path, m.Error)
		}
		found = append(found, m.Module)
	}
	if runErr != nil {
		return nil, fmt.Errorf("go mod download in %s: %w\n%s", dir, runErr, stderr.Bytes())
	}
	return found, nil
}

// recall reads what remember wrote; not ok when the file is absent or names a
// folder that is gone.
func recall(path string) (Modules, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Modules{}, false
	}
	var list []Module
	if err := json.Unmarshal(data, &list); err != nil {
		return Modules{}, false
	}
	known := Modules{found: map[string]Module{}}
	for _, m := range list {
		if _, err := os.Stat(m.Dir); err != nil {
			return Modules{}, false
		}
		known.found[m.Path] = m
	}
	return known, true
}

// remember writes through a temporary file: another process may be reading.
func remember(path string, known Modules) error {
	var list []Module
	for _, m := range known.found {
		list = append(list, m)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("remember the modules: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("remember the modules: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".modules-")
	if err != nil {
		return fmt.Errorf("remember the modules: %w", err)
	}
	_, writeErr := temporary.Write(data)
	if err := errors.Join(writeErr, temporary.Close()); err != nil {
		return fmt.Errorf("remember the modules: %w", err)
	}
	return os.Rename(temporary.Name(), path)
}
