// SPDX-License-Identifier: Apache-2.0

package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Sources say what is read.
type Sources struct {
	// Files are paths of files and directories, URLs, and "-" for Stdin.
	Files []string
	// Recursive descends into directories of directories.
	Recursive bool
	// Kustomize are kustomization directories.
	Kustomize []string
	Stdin     io.Reader
	// Wanted says which objects are asked what they hold. The others have no JSON.
	Wanted func(*Document) bool
	// Reading is told the name of each source before it is read.
	Reading func(name string)
}

// Errors of reading.
var (
	ErrNoInput = errors.New("no input: name files, directories or URLs with -f, or a kustomization with -k")
	errEmpty   = errors.New("holds no .yaml, .yml or .json file")
	errStatus  = errors.New("not answered with 200")
)

// fetchTime bounds the reading of one URL.
const fetchTime = 30 * time.Second

// Read reads all sources, in their order; the files of a directory are in the order of their paths. An error means that a source could
// not be read at all; what is wrong inside is among the Problems of its File.
func (s Sources) Read(ctx context.Context) ([]File, error) {
	if len(s.Files)+len(s.Kustomize) == 0 {
		return nil, ErrNoInput
	}
	var files []File
	for _, name := range s.Files {
		read, err := s.read(ctx, name)
		if err != nil {
			return nil, err
		}
		files = append(files, read...)
	}
	for _, folder := range s.Kustomize {
		s.Reading(folder)
		data, err := kustomized(folder)
		if err != nil {
			return nil, err
		}
		files = append(files, parse(folder, data, s.Wanted))
	}
	return files, nil
}

func (s Sources) read(ctx context.Context, name string) ([]File, error) {
	switch {
	case name == "-":
		data, err := io.ReadAll(s.Stdin)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return []File{parse(name, data, s.Wanted)}, nil
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		s.Reading(name)
		data, err := fetched(ctx, name)
		if err != nil {
			return nil, err
		}
		return []File{parse(name, data, s.Wanted)}, nil
	}
	paths, err := s.paths(name)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(paths))
	for _, path := range paths {
		s.Reading(path)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, parse(path, data, s.Wanted))
	}
	return files, nil
}

// paths are the files that a path stands for.
func (s Sources) paths(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var paths []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !s.Recursive:
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) && !isKustomization(path):
			paths = append(paths, path)
		}
		return nil
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: %w", name, errEmpty)
	}
	return paths, err
}

// isKustomization says that a file is one that kustomize reads and no API server takes.
func isKustomization(path string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml"}, filepath.Base(path))
}

func fetched(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read %s: %w: %s", url, errStatus, response.Status)
	}
	return data, nil
}

// kustomized builds a kustomization directory. What it gives is written by kustomize, and positions are those of its output.
func kustomized(folder string) ([]byte, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	return resources.AsYaml()
}
