// SPDX-License-Identifier: Apache-2.0

package scenario_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/test/scenario"
)

// TestScenario plays the steps of the demo, one subtest each.
func TestScenario(t *testing.T) {
	c, err := cluster.Start(t.Context(), cluster.Options{ControlPlane: controlplane.Options{Log: os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	c.StopAfter(t)
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	player := &scenario.Player{Cluster: c, Examples: filepath.Join(root, "examples", "whoami")}
	for _, step := range scenario.Steps() {
		if !t.Run(step.Name, func(t *testing.T) {
			player.Narrator = logger{t}
			if err := step.Play(t.Context(), player); err != nil {
				t.Fatal(err)
			}
		}) {
			return
		}
	}
}

// logger shows in a failing test what a reader of the demo would have seen.
type logger struct{ t *testing.T }

func (l logger) Say(text string)             { l.t.Log(text) }
func (l logger) Command(line, output string) { l.t.Logf("$ %s\n%s", line, output) }
func (l logger) Compare(title, before, after string) {
	l.t.Logf("%s\n%s\n->\n%s", title, before, after)
}
