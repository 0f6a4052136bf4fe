// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"
)

func TestGeneratedFilesAreCommitted(t *testing.T) {
	if err := run(filepath.Join("..", ".."), refuse); err != nil {
		t.Error(err)
	}
}

func TestWritesWhatItChecks(t *testing.T) {
	root := t.TempDir()
	if err := run(root, refuse); err == nil {
		t.Error("an empty folder passed the check")
	}
	if err := run(root, replace); err != nil {
		t.Fatal(err)
	}
	if err := run(root, refuse); err != nil {
		t.Error(err)
	}
}
