// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

func TestParse(t *testing.T) {
	defaults := settings{
		config: "c", webhookPort: 9443, metricsPort: 8080, healthPort: 8081, namespace: "daprise-system", tls: tlsSelf,
		leave: leave{lameDuck: 10 * time.Second, linger: 95 * time.Second}, logLevel: slog.LevelInfo, proofNamespace: "default", proofInterval: time.Minute,
	}
	changed := func(change func(*settings)) settings {
		s := defaults
		change(&s)
		return s
	}
	tests := []struct {
		name string
		args []string
		want settings
	}{
		{"defaults", []string{"--config=c"}, defaults},
		{"names", []string{"--config=c", "--tls-names=localhost, 127.0.0.1,"}, changed(func(s *settings) { s.tlsNames = []string{"localhost", "127.0.0.1"} })},
		{"files", []string{"--config=c", "--tls=files", "--tls-cert-dir=/d"}, changed(func(s *settings) { s.tls, s.tlsCertDir = tlsFiles, "/d" })},
		{"clients", []string{"--config=c", "--client-ca-file=/ca", "--client-names=a, b"}, changed(func(s *settings) { s.callers = callers{"/ca", []string{"a", "b"}} })},
		{"level", []string{"--config=c", "--log-level=DEBUG"}, changed(func(s *settings) { s.logLevel = slog.LevelDebug })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.args, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(settings{}, callers{}, leave{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestFlagsPage: docs/operations.md has a row for every flag and for none that there is not.
func TestFlagsPage(t *testing.T) {
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	matches := func(pattern, text string) []string {
		var all []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, match[1])
		}
		slices.Sort(all)
		return all
	}
	// Everybody knows --version.
	want := slices.DeleteFunc(matches(`(?m)^  -([a-z-]+)`, help.String()), func(name string) bool { return name == "version" })
	if diff := cmp.Diff(want, matches("(?m)^\\| `--([a-z-]+)` \\|", string(page))); diff != "" {
		t.Errorf("-flags +page:\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		args string
		want error
	}{
		{"", errConfig},
		{"--config=c --tls=none", errTLS},
		{"--config=c --proof-interval=10ms", errProof},
		{"--config=c --client-names=a", errNoCallerCA},
		{"--config=c --tls=files", errDir},
		{"--help", flag.ErrHelp},
		{"--config=c --no-such-flag", nil},
		{"--config=c argument", nil},
	} {
		_, err := parse(strings.Fields(tt.args), io.Discard)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.args, err, tt.want)
		}
	}
}

// TestDeployedArguments: what is deployed is a command line that this program takes.
func TestDeployedArguments(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "base", "server.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(data), "\n---\n") {
		if !strings.Contains(document, "kind: Deployment") {
			continue
		}
		var deployment appsv1.Deployment
		if err := yaml.UnmarshalStrict([]byte(document), &deployment); err != nil {
			t.Fatal(err)
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		s, err := parse(container.Args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range container.Ports {
			if want := map[string]int{"webhook": s.webhookPort, "metrics": s.metricsPort, "health": s.healthPort}[p.Name]; int(p.ContainerPort) != want {
				t.Errorf("container port %s is %d, the server listens on %d", p.Name, p.ContainerPort, want)
			}
		}
		grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
		if need := max(s.leave.lameDuck, s.leave.linger) + drainTime + 30*time.Second; grace < need {
			t.Errorf("%s of grace, %s are needed", grace, need)
		}
		return
	}
	t.Fatal("no Deployment in deploy/base/server.yaml")
}

func TestNames(t *testing.T) {
	s := settings{namespace: "x", tlsNames: []string{"localhost", "127.0.0.1", "localhost"}}
	dns, addresses := s.names()
	if diff := cmp.Diff([]string{"daprise-webhook.x.svc", "localhost"}, dns); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(addresses) != 1 || addresses[0].String() != "127.0.0.1" {
		t.Errorf("addresses %v", addresses)
	}
	if got := (settings{}).metricsAddress(); got != "0" {
		t.Errorf("no metrics port: %q", got)
	}
	if got := (settings{}).profileAddress(); got != "" {
		t.Errorf("no port for profiles: %q", got)
	}
	if got := (settings{profilePort: 6060}).profileAddress(); got != "127.0.0.1:6060" {
		t.Errorf("profiles at %q", got)
	}
}
