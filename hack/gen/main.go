// SPDX-License-Identifier: Apache-2.0

// Command gen writes every generated file of the repository:
//
//	go run ./hack/gen           writes them
//	go run ./hack/gen -check    fails if one is not as it would be written
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daprise/daprise/hack/gen/manifests"
	"github.com/daprise/daprise/hack/gen/rules"
	"github.com/daprise/daprise/mesh"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a file differs")
	root := flag.String("root", ".", "the root of the repository")
	flag.Parse()
	handle := replace
	if *check {
		handle = refuse
	}
	if err := run(*root, handle); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generated are all generated files by their path from the root.
func generated() (map[string][]byte, error) {
	files := map[string][]byte{}
	objects, err := manifests.Files(mesh.DefaultConfig())
	if err != nil {
		return nil, err
	}
	for _, file := range objects {
		content, err := manifests.Render(file.Objects)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Path, err)
		}
		files[filepath.Join("deploy", file.Path)] = content
	}
	lists, err := manifests.ChartFiles(mesh.DefaultConfig())
	if err != nil {
		return nil, err
	}
	for path, content := range lists {
		files[filepath.Join("deploy", path)] = content
	}
	for path, content := range manifests.Kustomizations() {
		files[filepath.Join("deploy", path)] = []byte(content)
	}
	page, err := rules.Render()
	if err != nil {
		return nil, err
	}
	files[rules.Path] = page
	return files, nil
}

// run hands each file that differs from what is generated, with its new content, to handle.
func run(root string, handle func(path string, content []byte) error) error {
	files, err := generated()
	if err != nil {
		return err
	}
	var failed []error
	for path, content := range files {
		path = filepath.Join(root, path)
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read: %w", err)
		}
		if !bytes.Equal(old, content) {
			failed = append(failed, handle(path, content))
		}
	}
	return errors.Join(failed...)
}

// refuse writes nothing.
func refuse(path string, _ []byte) error {
	return fmt.Errorf("%s is not as `go run ./hack/gen` writes it", path)
}

func replace(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
