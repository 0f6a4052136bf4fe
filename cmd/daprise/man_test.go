// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// pages writes the man pages, and reads them.
func pages(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if _, err := daprise("man", dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(data)
	}
	return all
}

// TestManPages: every command has a page, which names all of its flags that help shows; there is no page of anything else.
func TestManPages(t *testing.T) {
	have := pages(t)
	command := root()
	command.InitDefaultCompletionCmd()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() {
			return
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		page, ok := have[name]
		if !ok {
			t.Errorf("%s has no page", c.CommandPath())
		}
		delete(have, name)
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(c.LocalFlags().FlagUsages(), -1) {
			if !strings.Contains(page, strings.ReplaceAll(flag[1], "-", `\-`)) {
				t.Errorf("%s: %s is not in its page", c.CommandPath(), flag[1])
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(command)
	for name := range have {
		t.Errorf("%s is the page of no command", name)
	}
}

// TestManPagesAreRoff: no text is taken for a request, and every request is one that man(7) knows.
func TestManPagesAreRoff(t *testing.T) {
	known := []string{".TH", ".SH", ".TP", ".PP", ".B", ".BR", ".nf", ".fi"}
	for name, page := range pages(t) {
		for line := range strings.Lines(page) {
			request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if (strings.HasPrefix(line, ".") && !slices.Contains(known, request)) || strings.HasPrefix(line, "'") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
