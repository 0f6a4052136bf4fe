// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
)

// formerCommit is the version that is upgraded from: the newest one before what the leader writes back and proves.
const formerCommit = "b6fe5eb8d145"

// TestUpgrade: an installation of an earlier commit, with routes in place, is upgraded and downgraded again as a rolling update does it, both
// versions serving for a while. Each takes what the other has stored: nothing is refused, and applying the same again changes nothing.
func TestUpgrade(t *testing.T) {
	const ns = "upgrade"
	source := formerSource(t)
	installedFrom(t, source)
	old := startFormer(t, source)
	enrol(t, ns)
	stored := target(t, ns)
	// A new leader may admit what is stored once more; then it stays as it is.
	again := func(when string) {
		t.Helper()
		cluster.Eventually(t, func() error {
			version := field(t, ".metadata.resourceVersion", "httproute", "-n", ns, "whoami-route")
			for range 10 {
				apply(t, in(ns, gateway), in(ns, service), in(ns, policies), in(ns, route))
			}
			if after := field(t, ".metadata.resourceVersion", "httproute", "-n", ns, "whoami-route"); after != version {
				return fmt.Errorf("%s: applying the same route again changed it", when)
			}
			return nil
		})
		if have := target(t, ns); have != stored {
			t.Errorf("%s: the route leads to %s, before to %s", when, have, stored)
		}
	}
	edited := func(when, name string) {
		t.Helper()
		kubectl(t, "annotate", "-n", ns, "httproute/whoami-route", "--overwrite", "example.com/edited="+name)
		apply(t, strings.ReplaceAll(in(ns, route), "whoami-route", name))
		if have := field(t, ".spec.rules[*].filters[*].urlRewrite.path", "httproute", "-n", ns, name); !strings.Contains(have, rewritten) {
			t.Errorf("%s: a new route leads to %s", when, have)
		}
	}
	again("before")
	apply(t, manifestOf(t, kustomized(t, "base")))
	upgraded := startReplica(t)
	again("with both versions, upgrading")
	edited("with both versions, upgrading", "upgrading")
	old.end(t, lameDuck*3)
	cluster.Eventually(t, func() error {
		if _, leads := upgraded.metric(t, "daprise_proof_age_seconds"); !leads {
			return fmt.Errorf("the new version does not lead")
		}
		return nil
	})
	again("upgraded")
	edited("upgraded", "upgraded")
	apply(t, manifestOf(t, kustomizedIn(t, source, "base")))
	back := startFormer(t, source)
	again("with both versions, downgrading")
	upgraded.end(t, lameDuck*3)
	again("downgraded")
	edited("downgraded", "downgraded")
	if err := back.program.Running(); err != nil {
		t.Error(err)
	}
}

// formerSource is the tree of the former commit, unpacked once into the ignored cache, with the server built in it.
func formerSource(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(root, ".cache", "former-"+formerCommit)
	binary := filepath.Join(dir, "daprise-webhook")
	if _, err := os.Stat(binary); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	archive := exec.CommandContext(t.Context(), "git", "archive", formerCommit)
	archive.Dir = root
	tar, err := archive.Output()
	if err != nil {
		t.Fatalf("the history of this clone is too short for an upgrade: git archive %s: %v", formerCommit, err)
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(tar)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/daprise-webhook")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// startFormer starts a replica of the former version, with the flags that it has.
func startFormer(t *testing.T, source string) *replica {
	t.Helper()
	r := launch(t, filepath.Join(source, "daprise-webhook"))
	r.awaitEndpoint(t)
	return r
}
