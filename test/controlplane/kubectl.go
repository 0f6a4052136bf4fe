// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Output of a kubectl call.
type Output struct{ Stdout, Stderr string }

// KubectlError is returned when kubectl ran and failed: what a user would have
// seen.
type KubectlError struct {
	Args []string
	Code int // exit code
	Output
}

func (e *KubectlError) Error() string {
	return fmt.Sprintf("kubectl %s: exit code %d\n%s%s", strings.Join(e.Args, " "), e.Code, e.Stdout, e.Stderr)
}

// Kubectl runs the built kubectl as the administrator; a later --kubeconfig among
// args takes precedence. A failing kubectl is a *KubectlError, with the Output too.
func (cp *ControlPlane) Kubectl(ctx context.Context, args ...string) (Output, error) {
	return cp.KubectlIn(ctx, nil, args...)
}

// KubectlIn is Kubectl with standard input, for -f -.
func (cp *ControlPlane) KubectlIn(ctx context.Context, stdin []byte, args ...string) (Output, error) {
	cmd := exec.CommandContext(ctx, cp.programs.Path(kubectl), append([]string{"--kubeconfig=" + cp.Kubeconfig()}, args...)...)
	// Nobody's ~/.kube is read or written.
	cmd.Env = append(os.Environ(), "KUBECONFIG=", "KUBERC=off", "KUBECACHEDIR="+cp.file("kubectl-cache"))
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	output := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return output, &KubectlError{Args: args, Code: exit.ExitCode(), Output: output}
	}
	if err != nil {
		return output, fmt.Errorf("run kubectl: %w", err)
	}
	return output, nil
}

// KubectlPath is the built kubectl.
func (cp *ControlPlane) KubectlPath() string { return cp.programs.Path(kubectl) }

// Apply applies YAML documents in their order, server-side, as the
// administrator with kubectl's field manager. A refusal is a *KubectlError.
func (cp *ControlPlane) Apply(ctx context.Context, manifests ...[]byte) error {
	_, err := cp.KubectlIn(ctx, bytes.Join(manifests, []byte("\n---\n")), "apply", "--server-side", "-f", "-")
	return err
}

// ApplyFiles is Apply for files and folders (their *.yaml, *.yml and *.json).
func (cp *ControlPlane) ApplyFiles(ctx context.Context, paths ...string) error {
	args := []string{"apply", "--server-side"}
	for _, path := range paths {
		args = append(args, "-f", path)
	}
	_, err := cp.Kubectl(ctx, args...)
	return err
}
