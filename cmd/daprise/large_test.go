// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// largeFile is the environment variable by which TestLargeFile tells the process that it starts what to analyze.
const largeFile = "DAPRISE_LARGE_FILE"

// TestLargeFile analyzes 100 MB in a process of its own, whose memory is bounded, and finds what is wrong at the end: a document that is broken,
// with its line, and one that is not covered.
func TestLargeFile(t *testing.T) {
	if file := os.Getenv(largeFile); file != "" {
		collectLess()
		os.Exit(run(context.Background(), []string{"analyze", "-f", file, "--mode", "strict"}, streams{nil, os.Stdout, os.Stderr}))
	}
	file := filepath.Join(t.TempDir(), "large.yaml")
	text := strings.Repeat("    "+strings.Repeat("x", 95)+"\n", 500)
	count := 100 << 20 / len(text)
	write(t, file, func(out io.Writer) {
		for i := range count {
			_, _ = fmt.Fprintf(out, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: data-%d}\ndata:\n  text: |\n%s", i, text)
		}
		_, _ = io.WriteString(out, "---\nkind: Service\n a: b: c\n---\n"+aService)
	})
	const mostMemory = 450 << 20
	command := exec.Command(os.Args[0], "-test.run=^TestLargeFile$")
	command.Env = append(os.Environ(), largeFile+"="+file)
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if status := command.ProcessState.ExitCode(); status != 2 {
		t.Errorf("exit status %d (%v), want 2", status, err)
	}
	if !strings.Contains(string(out), "DPR101") {
		t.Errorf("the last document is not judged:\n%s", out)
	}
	// Six lines and 500 of text for each ConfigMap, then the marker and the kind.
	if want := fmt.Sprintf("large.yaml:%d: document %d: ", count*506+3, count+1); !strings.Contains(errs.String(), want) {
		t.Errorf("%q is not told:\n%s", want, errs.String())
	}
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); !ok || usage.Maxrss*1024 > mostMemory {
		t.Errorf("took %+v, at most %d bytes are meant", usage, mostMemory)
	} else {
		t.Logf("%d MB of memory, %v of processor time", usage.Maxrss/1024, command.ProcessState.UserTime()+command.ProcessState.SystemTime())
	}
}
