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
	"slices"
	"strings"
)

// copied is a module that a replace directive points to a copy of, without some of its parts.
type copied struct {
	module, into string
	skip         []string // files and folders of the module, with slashes
}

// copyModule copies a module from Go's module cache, at the version that the go.mod of folder requires. The go command checks the download
// against the checksum database, since a replaced module has no line in go.sum.
func copyModule(ctx context.Context, folder string, c copied) error {
	var required struct {
		Require []struct{ Path, Version string }
	}
	file := filepath.Join(folder, "go.mod")
	if err := goJSON(ctx, &required, "mod", "edit", "-json", file); err != nil {
		return err
	}
	for _, module := range required.Require {
		if module.Path != c.module {
			continue
		}
		var downloaded struct{ Dir string }
		if err := goJSON(ctx, &downloaded, "mod", "download", "-json", c.module+"@"+module.Version); err != nil {
			return err
		}
		if err := c.copyFrom(downloaded.Dir); err != nil {
			return fmt.Errorf("copy %s: %w", c.module, err)
		}
		return nil
	}
	return fmt.Errorf("%s does not require %s", file, c.module)
}

// goJSON runs the go command outside of every module: inside of one that points to a copy, the copy that is being made would be asked for.
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

func (c copied) copyFrom(source string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		skipped := slices.Contains(c.skip, filepath.ToSlash(relative))
		switch {
		case entry.IsDir() && skipped:
			return fs.SkipDir
		case entry.IsDir(), skipped, strings.HasSuffix(path, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, writeFile(filepath.Join(c.into, relative), string(data)))
	})
}

func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
