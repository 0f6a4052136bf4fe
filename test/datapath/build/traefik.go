// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	traefikModule = "hack/datapath/traefik"
	legoModule    = "github.com/go-acme/lego/v5"
	// replacements is where the replace directives of Traefik's module point.
	replacements = ".cache/datapath/traefik-replaces"
)

// extSource stands for Traefik's nested module dynamic/ext, which is not
// served: two structs that others may extend.
const extSource = `// SPDX-License-Identifier: Apache-2.0

// Package ext stands for a module that is not served.
package ext

// HTTP has no extension here.
type HTTP struct{}

// Router has no extension here.
type Router struct{}
`

// dnsSource stands for lego's list of DNS providers.
const dnsSource = `// SPDX-License-Identifier: Apache-2.0

// Package dns knows no provider.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName fails: no provider is built in.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("DNS provider %s is not built in", name)
}
`

// traefikReplacements makes the two modules that Traefik's module replaces by
// folders: dynamic/ext, and lego without its DNS providers, copied from Go's
// module cache. Their go.mod files require nothing: every version is in
// Traefik's own go.mod.
func traefikReplacements(ctx context.Context, root string) error {
	into := filepath.Join(root, filepath.FromSlash(replacements))
	if err := os.RemoveAll(into); err != nil {
		return err
	}
	ext := filepath.Join(into, "ext")
	err := errors.Join(
		writeFile(filepath.Join(ext, "go.mod"), "module github.com/traefik/traefik/dynamic/ext\n\ngo 1.26.0\n"),
		writeFile(filepath.Join(ext, "ext.go"), extSource),
	)
	if err != nil {
		return err
	}
	source, err := legoSource(ctx, root)
	if err != nil {
		return err
	}
	lego := filepath.Join(into, "lego")
	if err := copyLibrary(source, lego); err != nil {
		return fmt.Errorf("copy lego: %w", err)
	}
	return errors.Join(
		writeFile(filepath.Join(lego, "go.mod"), "module "+legoModule+"\n\ngo 1.26.0\n"),
		writeFile(filepath.Join(lego, "providers", "dns", "dns.go"), dnsSource),
	)
}

// legoSource is lego in Go's module cache at the version that Traefik's module
// requires. The go command checks the download against the checksum database,
// since a replaced module has no line in go.sum.
func legoSource(ctx context.Context, root string) (string, error) {
	var required struct {
		Require []struct{ Path, Version string }
	}
	file := filepath.Join(root, filepath.FromSlash(traefikModule), "go.mod")
	if err := goJSON(ctx, &required, "mod", "edit", "-json", file); err != nil {
		return "", err
	}
	for _, module := range required.Require {
		if module.Path != legoModule {
			continue
		}
		var downloaded struct{ Dir string }
		err := goJSON(ctx, &downloaded, "mod", "download", "-json", legoModule+"@"+module.Version)
		return downloaded.Dir, err
	}
	return "", fmt.Errorf("%s does not require %s", file, legoModule)
}

// goJSON runs the go command outside of every module: inside of Traefik's, the
// replacement that is being made would be asked for.
func goJSON(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = os.TempDir()
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return json.Unmarshal(out, into)
}

// copyLibrary copies lego's Go files but its tests, its programs and its DNS
// providers.
func copyLibrary(from, to string) error {
	skipped := map[string]bool{"cmd": true, "e2e": true, filepath.Join("providers", "dns"): true}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skipped[relative] {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || relative == "main.go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(to, relative), string(data))
	})
}

func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
