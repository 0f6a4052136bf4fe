// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// modulePath is the first line of the project's go.mod: it tells the project's
// root from the roots of its tool modules.
const modulePath = "module github.com/daprise/daprise\n"

// ErrNoRoot is returned by Root outside of a checkout of the project.
var ErrNoRoot = errors.New("no go.mod of github.com/daprise/daprise in this folder or above it")

// Root returns the folder of the project's go.mod: the working directory or
// the nearest folder above it. Go runs tests in their package's folder, so
// every test package finds it.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find the project: %w", err)
		}
		if bytes.HasPrefix(data, []byte(modulePath)) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the project from %s: %w", start, ErrNoRoot)
		}
	}
}

// CacheDir is the ignored folder that holds everything built or kept by the
// test control plane of the checkout at root.
func CacheDir(root string) string {
	return filepath.Join(root, ".cache", "controlplane")
}
