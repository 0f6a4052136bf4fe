// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/validate/catalog"
)

func daprise(args ...string) (string, error) {
	var out bytes.Buffer
	command := root()
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs(args)
	err := command.Execute()
	return out.String(), err
}

func TestExplain(t *testing.T) {
	const want = `DPR304: App ID is taken
Severity: deny

    Another app or Gateway of the namespace has the app ID already. The older one keeps it.

Why
    An app ID is an identity: two owners would share one companion, its callers and its policies.

Example
    Service default/other refused: metadata.annotations[dapr.io/app-id]: app ID "whoami" belongs to
    Service default/whoami. Set dapr.io/app-id to another, one that no other object in the namespace
    has. [DPR304]

What to do
    Choose another app ID with dapr.io/app-id. kubectl get services,deployments,gateways -l
    daprise.dev/app-id shows those in use.
`
	for _, arg := range []string{"DPR304", "dpr304", "304", "[DPR304]"} {
		t.Run(arg, func(t *testing.T) {
			got, err := daprise("explain", arg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("every code, none wider than a terminal", func(t *testing.T) {
		args := []string{"explain"}
		for _, r := range catalog.Rules() {
			args = append(args, string(r.Code))
		}
		got, err := daprise(args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range catalog.Rules() {
			if strings.Count(got, string(r.Code)+": "+r.Title+"\n") != 1 {
				t.Errorf("%s is not explained once", r.Code)
			}
		}
		for line := range strings.Lines(got) {
			words := len(strings.Fields(line))
			if len(line) > 101 && words > 1 {
				t.Errorf("%d characters: %s", len(line), line)
			}
		}
	})
	t.Run("a mode decides", func(t *testing.T) {
		got, err := daprise("explain", "101")
		if err != nil || !strings.Contains(got, "Severity: deny, or milder by the namespace's label daprise.dev/coverage\n") {
			t.Errorf("got %v\n%s", err, got)
		}
	})
	t.Run("no rule yet", func(t *testing.T) {
		got, err := daprise("explain", "402")
		if err != nil || !strings.Contains(got, "no finding of this code in this version") {
			t.Errorf("got %v\n%s", err, got)
		}
	})
}

func TestExplainList(t *testing.T) {
	got, err := daprise("explain", "--list")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(lines) != len(catalog.Rules()) || lines[0] != "DPR101  deny  Companion is not isolated" {
		t.Errorf("got\n%s", got)
	}
}

func TestExplainRefuses(t *testing.T) {
	for _, test := range []struct {
		name, want string
		args       []string
	}{
		{"nothing", "name a code, like DPR101, or --list them", []string{"explain"}},
		{"both", "--list takes no code", []string{"explain", "--list", "DPR101"}},
		{"unknown", `there is no such code: "DPR999"; daprise explain --list prints them all`, []string{"explain", "DPR101", "DPR999"}},
		{"unknown command", `unknown command "explian" for "daprise"`, []string{"explian"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := daprise(test.args...)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || out != "" {
				t.Errorf("got %v and output %q, want %s", err, out, test.want)
			}
		})
	}
	if _, err := daprise("explain", "x"); !errors.Is(err, errNoSuchCode) {
		t.Errorf("got %v", err)
	}
}

func TestVersion(t *testing.T) {
	if got, err := daprise("version"); err != nil || got != version+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
