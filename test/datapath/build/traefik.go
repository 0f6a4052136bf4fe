// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	lego := filepath.Join(into, "lego")
	return errors.Join(err, copyModule(ctx, filepath.Join(root, filepath.FromSlash(traefikModule)), copied{
		module: legoModule, into: lego, skip: []string{"cmd", "e2e", "providers/dns", "main.go"},
	}),
		writeFile(filepath.Join(lego, "go.mod"), "module "+legoModule+"\n\ngo 1.26.0\n"),
		writeFile(filepath.Join(lego, "providers", "dns", "dns.go"), dnsSource),
	)
}
