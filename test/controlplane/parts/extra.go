// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Extra is a program that a suite needs beside the control plane, built from a
// Go module of its own.
type Extra struct {
	// Module is the folder of the module, below the project's root.
	Module string
	// Files of the module that decide what is built, beside go.mod and go.sum.
	Files []string
	// Package is the main package, Name the file made of it.
	Package, Name string
	// Prepare makes what the module's go.mod points to, if that is generated. It
	// is called before a build and not when the program exists already.
	Prepare func(ctx context.Context, log io.Writer) error
	// Prepared is the text that Prepare puts into it: another text is another program.
	Prepared string
}

// BuildExtra builds programs as Build does, on the same terms: once, into the
// ignored cache, keyed by the module, what is prepared for it and the Go version.
// It returns their paths by name.
func BuildExtra(ctx context.Context, root string, extras []Extra, log io.Writer) (map[string]string, error) {
	paths := map[string]string{}
	for _, extra := range extras {
		path, err := extra.build(ctx, root, log)
		if err != nil {
			return nil, err
		}
		paths[extra.Name] = path
	}
	return paths, nil
}

func (e Extra) build(ctx context.Context, root string, log io.Writer) (string, error) {
	module := filepath.Join(root, filepath.FromSlash(e.Module))
	key, err := hashFiles(module, append([]string{"go.mod", "go.sum"}, e.Files...)...)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", e.Name, err)
	}
	if e.Prepare != nil {
		key = fmt.Sprintf("%s-%x", key, sha256.Sum256([]byte(e.Prepared)))[:len(key)+9]
	}
	cache := filepath.Join(CacheDir(root), "extra")
	dir := folder(filepath.Join(cache, key))
	exists := func() bool {
		_, err := os.Stat(dir.path(e.Name))
		return err == nil
	}
	if exists() {
		return dir.path(e.Name), nil
	}
	if err := os.MkdirAll(string(dir), 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", e.Name, err)
	}
	lock, err := LockAny(ctx, log, "another build of "+e.Name, filepath.Join(cache, "build.lock"))
	if err != nil {
		return "", err
	}
	if !exists() {
		err = e.buildIn(ctx, dir, module, log)
	}
	return dir.path(e.Name), errors.Join(err, lock.Unlock())
}

func (e Extra) buildIn(ctx context.Context, dir folder, module string, log io.Writer) error {
	if e.Prepare != nil {
		if err := e.Prepare(ctx, log); err != nil {
			return fmt.Errorf("prepare the build of %s: %w", e.Name, err)
		}
	}
	one := program{pkg: e.Package, name: e.Name, generated: e.Prepare != nil}
	return set{module: module}.buildOne(ctx, dir, one, progress{log: log, label: e.Name})
}
