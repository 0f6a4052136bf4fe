// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// sources are the files of the project with one of these endings, by their path from the root.
func sources(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	top := root(t)
	err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != top && (entry.Name() == "bin" || strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		for _, ending := range endings {
			if !entry.IsDir() && strings.HasSuffix(file, ending) {
				data, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				relative, err := filepath.Rel(top, file)
				if err != nil {
					return err
				}
				all[filepath.ToSlash(relative)] = string(data)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLinksLead: every relative link of a page leads to a file, and to a heading of it where it says so.
func TestLinksLead(t *testing.T) {
	pages := sources(t, ".md")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for page, text := range pages {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(filepath.Join(root(t), path)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, match[1])
				continue
			}
			if heading != "" && !headings(pages[path])[heading] {
				t.Errorf("%s: %s has no heading for %s", page, path, match[1])
			}
		}
	}
}

// headings are the anchors that GitHub makes of a page's headings, and those that it has in HTML.
func headings(page string) map[string]bool {
	all := map[string]bool{}
	for _, match := range regexp.MustCompile(`<a (?:id|name)="([^"]+)">`).FindAllStringSubmatch(page, -1) {
		all[match[1]] = true
	}
	for line := range strings.Lines(page) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		var anchor strings.Builder
		for _, r := range strings.ToLower(strings.TrimSpace(title)) {
			switch {
			case r == ' ':
				anchor.WriteByte('-')
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				anchor.WriteRune(r)
			}
		}
		all[anchor.String()] = true
	}
	return all
}

// TestNamedTestsExist: a test that a page calls as its witness is there.
func TestNamedTestsExist(t *testing.T) {
	declared := map[string]bool{}
	for _, text := range sources(t, "_test.go") {
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			declared[match[1]] = true
		}
	}
	for page, text := range sources(t, ".md") {
		for _, match := range regexp.MustCompile("`(Test\\w+)").FindAllStringSubmatch(text, -1) {
			if !declared[match[1]] {
				t.Errorf("%s: no test %s", page, match[1])
			}
		}
	}
}
