// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/test/controlplane"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    []string
		want    settings
		wantErr string
	}{
		{name: "nothing", want: settings{action: "run", nodes: 2, crds: "gateway-api/standard,cilium,dapr"}},
		{
			name: "everything", args: []string{"-detach", "-dir=x", "-port=6443", "-nodes=3", "-crds="},
			want: settings{action: "detach", dir: "x", port: 6443, nodes: 3},
		},
		{name: "two actions", args: []string{"-down", "-detach"}, wantErr: "give at most one of -build-only, -detach and -down"},
		{name: "an argument", args: []string{"now"}, wantErr: `unknown argument "now"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(test.args, io.Discard)
			if test.wantErr != "" {
				if err == nil || err.Error() != test.wantErr {
					t.Errorf("error is %v, want %s", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(settings{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownCRDs(t *testing.T) {
	err := run(t.Context(), []string{"-crds=istio"}, streams{out: io.Discard, log: os.Stderr})
	if !errors.Is(err, controlplane.ErrUnknownCRDSet) {
		t.Errorf("error is %v, want ErrUnknownCRDSet", err)
	}
}

// TestUpUntilInterrupted is what a person does: start, read, reach, Ctrl-C.
func TestUpUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-crds=", "-nodes=1"}, streams{out: write, log: os.Stderr})
		ended <- errors.Join(err, write.Close())
	}()
	kubeconfig := ""
	said := regexp.MustCompile(`export KUBECONFIG=(.+)`)
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if match := said.FindStringSubmatch(lines.Text()); match != nil {
			kubeconfig = match[1]
		}
		if lines.Text() == "Ctrl-C stops it and leaves nothing behind." {
			break
		}
	}
	if _, err := os.Stat(kubeconfig); err != nil {
		t.Errorf("the kubeconfig that it tells of: %v", err)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kubeconfig); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the kubeconfig after Ctrl-C: %v", err)
	}
}
