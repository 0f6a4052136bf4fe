// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// Narrator is told what happens.
type Narrator interface {
	// Say is a sentence to the reader.
	Say(text string)
	// Command is a command line and what it printed.
	Command(line, output string)
	// Compare shows an object before and after.
	Compare(title, before, after string)
}

// Player plays steps on a cluster.
type Player struct {
	Cluster  *cluster.Cluster
	Narrator Narrator
	// Examples is the folder examples/whoami.
	Examples string

	before map[string]string // objects as they were before the mesh, by their kubectl name
}

const (
	// settle bounds each wait; on an idle machine things settle within two seconds.
	settle = 90 * time.Second
	poll   = 100 * time.Millisecond
)

// kubectl runs a command that must succeed, and tells it.
func (p *Player) kubectl(ctx context.Context, args ...string) error {
	out, err := p.Cluster.Kubectl(ctx, args...)
	p.tell("kubectl "+strings.Join(args, " "), out)
	return err
}

// refused runs a command that the API server must refuse with a text that holds each of wants.
func (p *Player) refused(ctx context.Context, wants []string, args ...string) error {
	out, err := p.Cluster.Kubectl(ctx, args...)
	text := out.Stdout + out.Stderr
	p.tell("kubectl "+strings.Join(args, " "), out)
	if failed := (*controlplane.KubectlError)(nil); !errors.As(err, &failed) {
		return fmt.Errorf("kubectl %s was not refused: %q %w", strings.Join(args, " "), text, err)
	}
	return containsAll(text, wants)
}

func containsAll(text string, wants []string) error {
	var errs []error
	for _, want := range wants {
		if !strings.Contains(text, want) {
			errs = append(errs, fmt.Errorf("%q is missing in:\n%s", want, text))
		}
	}
	return errors.Join(errs...)
}

// tell tells a command and its output, with the example's folder as a reader of the repository knows it.
func (p *Player) tell(line string, out controlplane.Output) {
	plain := func(text string) string { return strings.ReplaceAll(text, p.Examples, "examples/whoami") }
	p.Narrator.Command(plain(line), plain(out.Stdout+out.Stderr))
}

func (p *Player) file(name string) string { return filepath.Join(p.Examples, name) }

// apply applies a file of the example.
func (p *Player) apply(ctx context.Context, name string) error {
	return p.kubectl(ctx, "apply", "-f", p.file(name))
}

// object reads an object as it is stored, quietly.
func (p *Player) object(ctx context.Context, kind, name string) (*unstructured.Unstructured, error) {
	out, err := p.Cluster.Kubectl(ctx, "get", kind, name, "-o", "json", "--ignore-not-found", "--show-managed-fields=false")
	if err != nil || strings.TrimSpace(out.Stdout) == "" {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(out.Stdout)); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	return u, nil
}

// userView is an object as its owner thinks of it: without what the API server, controllers and kubectl keep for themselves.
func userView(u *unstructured.Unstructured) (string, error) {
	if u == nil {
		return "", nil
	}
	u = u.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	if len(u.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(u.Object, "metadata", "annotations")
	}
	if len(u.GetLabels()) == 0 {
		unstructured.RemoveNestedField(u.Object, "metadata", "labels")
	}
	unstructured.RemoveNestedField(u.Object, "status")
	text, err := yaml.Marshal(u.Object)
	if err != nil {
		return "", fmt.Errorf("render %s: %w", u.GetName(), err)
	}
	return string(text), nil
}

// view is userView of the stored object.
func (p *Player) view(ctx context.Context, kind, name string) (string, error) {
	u, err := p.object(ctx, kind, name)
	if err != nil {
		return "", err
	}
	return userView(u)
}

// eventually waits until check returns nil, and fails with the last error that was not the wait's own end.
func (p *Player) eventually(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: not within %s: %w", what, settle, cmp.Or(last, err))
		}
		last = err
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}
