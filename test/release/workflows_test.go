// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/controlplane/parts"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// read is a file of the project.
func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// workflows are the files of .github/workflows by name.
func workflows(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), ".github", "workflows", "*.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		all[name] = read(t, ".github", "workflows", name)
	}
	return all
}

// TestActionsArePinned: what runs with a workflow's rights is one commit, named with its version, and the same everywhere. A tag can be moved.
func TestActionsArePinned(t *testing.T) {
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.+)$`)
	pinned := regexp.MustCompile(`^([\w.-]+/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	pins := map[string]string{}
	for name, text := range workflows(t) {
		for _, match := range uses.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(match[1], "./") {
				continue
			}
			pin := pinned.FindStringSubmatch(match[1])
			if pin == nil {
				t.Errorf("%s: %s is not pinned as OWNER/NAME@COMMIT # vVERSION", name, match[1])
				continue
			}
			if other, ok := pins[pin[1]]; ok && other != pin[2] {
				t.Errorf("%s: %s is %s here and %s elsewhere", name, pin[1], pin[2], other)
			}
			pins[pin[1]] = pin[2]
		}
	}
}

type workflow struct {
	Permissions map[string]string `json:"permissions"`
	Jobs        map[string]job    `json:"jobs"`
}

type job struct {
	Uses    string                 `json:"uses"`
	Needs   string                 `json:"needs"`
	Minutes int                    `json:"timeout-minutes"`
	Steps   []struct{ Run string } `json:"steps"`
}

// TestJobsRunWhatExists: each workflow names its permissions and each job its limit of time; every `make TARGET` is a target of the Makefile, and every
// job that is waited for is there.
func TestJobsRunWhatExists(t *testing.T) {
	targets := targets(t)
	made := regexp.MustCompile(`\bmake (?:--[\w-]+ )*([a-z][\w-]*)`)
	for name, text := range workflows(t) {
		var w workflow
		if err := yaml.Unmarshal([]byte(text), &w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w.Permissions == nil {
			t.Errorf("%s leaves its permissions to the repository's settings", name)
		}
		for id, job := range w.Jobs {
			if job.Uses == "" && job.Minutes == 0 {
				t.Errorf("%s: job %s may run for six hours", name, id)
			}
			if _, ok := w.Jobs[job.Needs]; job.Needs != "" && !ok {
				t.Errorf("%s: job %s waits for %s, which is not there", name, id, job.Needs)
			}
			for _, step := range job.Steps {
				checkTargets(t, name, made.FindAllStringSubmatch(step.Run, -1), targets)
			}
		}
	}
	checkTargets(t, ".ci/run", made.FindAllStringSubmatch(steps(read(t, ".ci", "run")), -1), targets)
}

// steps are the lines of .ci/run that run something.
func steps(script string) string {
	var lines []string
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "step ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func checkTargets(t *testing.T, where string, made [][]string, targets []string) {
	t.Helper()
	for _, match := range made {
		if !slices.Contains(targets, match[1]) {
			t.Errorf("%s: no target %s in the Makefile", where, match[1])
		}
	}
}

// targets of the Makefile.
func targets(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, match := range regexp.MustCompile(`(?m)^([a-z][\w-]*):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		all = append(all, match[1])
	}
	return all
}

// TestContributingTellsWhatExists: the commands of CONTRIBUTING.md are targets of the Makefile.
func TestContributingTellsWhatExists(t *testing.T) {
	targets := targets(t)
	for _, match := range regexp.MustCompile("`make ([a-z][\\w-]*)[^`]*`").FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1) {
		if !slices.Contains(targets, match[1]) {
			t.Errorf("CONTRIBUTING.md: no target %s in the Makefile", match[1])
		}
	}
}

// TestBuiltAsTheImage: what hack/reproducible.sh compares are the programs of the image and of the release.
func TestBuiltAsTheImage(t *testing.T) {
	const flags = "GOFLAGS=-trimpath "
	if script := read(t, "hack", "reproducible.sh"); !regexp.MustCompile(flags + `make -C \S+ build "VERSION=`).MatchString(script) {
		t.Error("hack/reproducible.sh does not build by GOFLAGS=-trimpath make build")
	}
	if !strings.Contains(read(t, "Dockerfile"), "RUN "+flags+"GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION=$VERSION\n") {
		t.Error("the Dockerfile does not build by GOFLAGS=-trimpath make build")
	}
	build := regexp.MustCompile(`(?m)^BUILD := (go build -ldflags "([^"]*)")$`).FindStringSubmatch(read(t, "Makefile"))
	if build == nil {
		t.Fatal("the Makefile has no BUILD")
	}
	released := strings.ReplaceAll(build[1], "$(VERSION)", "${{ github.ref_name }}")
	if !strings.Contains(workflows(t)["release.yaml"], released) {
		t.Errorf("what is released is not built by %s", released)
	}
	if !strings.Contains(workflows(t)["release.yaml"], "build-args: VERSION=${{ github.ref_name }}") {
		t.Error("the image is not told its version")
	}
}

// TestVersionsAgree: the chart, its app and the image of deploy/base are of one version.
func TestVersionsAgree(t *testing.T) {
	var chart struct{ Version, AppVersion string }
	if err := yaml.Unmarshal([]byte(read(t, "deploy", "helm", "daprise", "Chart.yaml")), &chart); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(chart.Version) || chart.AppVersion != "v"+chart.Version {
		t.Errorf("chart %s of app %s", chart.Version, chart.AppVersion)
	}
	if want := "image: ghcr.io/daprise/daprise-webhook:" + chart.AppVersion + "\n"; !strings.Contains(read(t, "deploy", "base", "server.yaml"), want) {
		t.Errorf("deploy/base does not run %s", want)
	}
}
