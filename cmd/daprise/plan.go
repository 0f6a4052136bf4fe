// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
)

var (
	errObjectName = errors.New("not KIND/NAMESPACE/NAME of a Service, Deployment or Gateway")
	errNotThere   = errors.New("not in the input")
)

// planning is the command line of daprise plan.
type planning struct {
	input
	enrol, leave []string
}

func plan() *cobra.Command {
	p := &planning{}
	command := &cobra.Command{
		Use:   "plan -f FILE | --live",
		Short: "Show what enrolling or leaving would change",
		Long: `Shows each object that would change, with the findings of admission and a diff, then what the controller would create and delete. Nothing
is written. --enrol and --leave plan for objects as if they were annotated so.`,
		Example: "  daprise plan -f deploy/ --enrol gateway/default/default-gateway --enrol service/default/whoami\n  daprise plan --live --leave service/default/whoami",
		Args:    cobra.NoArgs,
		RunE:    p.run,
	}
	p.bind(command)
	p.bindLive(command)
	command.Flags().StringArrayVar(&p.enrol, "enrol", nil, "plan as if this object were enrolled: KIND/NAMESPACE/NAME; may be repeated")
	command.Flags().StringArrayVar(&p.leave, "leave", nil, "plan as if this object were not enrolled: KIND/NAMESPACE/NAME; may be repeated")
	return command
}

func (p *planning) run(command *cobra.Command, _ []string) error {
	if err := p.assume(); err != nil {
		return err
	}
	w, files, err := p.open(command)
	if err != nil {
		return err
	}
	for object := range p.annotations {
		if w.Find(object) == nil {
			return fmt.Errorf("%s: %w", object, errNotThere)
		}
	}
	planned, err := w.Plan(command.Context())
	if err != nil {
		return err
	}
	c := changes{out: command.OutOrStdout(), paint: painter(command.OutOrStdout())}
	if err := c.write(w, planned); err != nil {
		return err
	}
	if err := tell(command, problems(files, w)); err != nil {
		return err
	}
	if c.refused > 0 {
		return &exit{status: exitFindings, err: errFound}
	}
	return nil
}

// assume notes the annotations that are planned for.
func (p *planning) assume() error {
	p.annotations = map[mesh.Object]map[string]string{}
	for _, set := range []struct {
		names []string
		value string
	}{{p.enrol, "true"}, {p.leave, ""}} {
		for _, name := range set.names {
			object, err := objectNamed(name)
			if err != nil {
				return err
			}
			p.annotations[object] = map[string]string{mesh.AnnotationEnabled: set.value}
		}
	}
	return nil
}

// objectNamed reads "service/default/whoami".
func objectNamed(name string) (mesh.Object, error) {
	parts := strings.Split(name, "/")
	if len(parts) == 3 {
		for _, kind := range []string{mesh.KindService, mesh.KindDeployment, mesh.KindGateway} {
			if strings.EqualFold(parts[0], kind) {
				return mesh.Object{Kind: kind, Namespace: parts[1], Name: parts[2]}, nil
			}
		}
	}
	return mesh.Object{}, fmt.Errorf("%q: %w", name, errObjectName)
}

// changes writes what would change, and counts.
type changes struct {
	out   io.Writer
	paint report.Painter

	changed, created, deleted, refused int
}

func (c *changes) write(w *world.World, planned []controller.Planned) error {
	for _, o := range w.Objects {
		if err := c.object(o); err != nil {
			return err
		}
	}
	for _, p := range planned {
		if err := c.companion(w, p); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.out, "%d to change, %d to create, %d to delete, %d refused\n", c.changed, c.created, c.deleted, c.refused)
	return err
}

// object writes one object of the input, if there is anything to say about it.
func (c *changes) object(o *world.Object) error {
	after, err := o.Written()
	if err != nil {
		return err
	}
	diff, err := diffOf(o.Document.JSON, after)
	if err != nil || diff == "" && len(o.Findings) == 0 {
		return err
	}
	sign := " "
	switch {
	case o.Refused():
		sign = "!"
		c.refused++
	case diff != "":
		sign = "~"
		c.changed++
	}
	if _, err := fmt.Fprintf(c.out, "%s %s\n", sign, o.Name); err != nil {
		return err
	}
	for _, f := range o.Findings {
		if _, err := io.WriteString(c.out, report.Text(place(o, f), c.paint)); err != nil {
			return err
		}
	}
	_, err = io.WriteString(c.out, diff)
	return err
}

// companion writes what the controller would do about one companion.
func (c *changes) companion(w *world.World, p controller.Planned) error {
	if p.Held != "" {
		if _, err := fmt.Fprintf(c.out, "  companion %s waits: %s\n", p.Ref, p.Held); err != nil {
			return err
		}
	}
	for _, object := range p.Apply {
		if err := c.apply(w, object); err != nil {
			return err
		}
	}
	for _, object := range p.Remove {
		c.deleted++
		if _, err := fmt.Fprintf(c.out, "- %s\n", world.NameOf(object)); err != nil {
			return err
		}
	}
	return nil
}

func (c *changes) apply(w *world.World, object client.Object) error {
	content, err := world.Content(object)
	if err != nil {
		return err
	}
	after, err := content.MarshalJSON()
	if err != nil {
		return err
	}
	sign, before := "+", []byte("{}")
	if stored := w.Find(world.NameOf(object)); stored != nil {
		sign, before = "~", stored.Document.JSON
		c.changed++
	} else {
		c.created++
	}
	diff, err := diffOf(before, after)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s %s\n%s", sign, world.NameOf(object), diff)
	return err
}

// diffOf compares two objects as YAML; empty if they are the same.
func diffOf(before, after []byte) (string, error) {
	var texts [2]string
	for i, data := range [][]byte{before, after} {
		text, err := yaml.JSONToYAML(data)
		if err != nil {
			return "", err
		}
		if texts[i] = string(text); texts[i] == "{}\n" {
			texts[i] = ""
		}
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: difflib.SplitLines(texts[0]), B: difflib.SplitLines(texts[1]), Context: 3})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		// A text that ends in a line break is split with an empty last line.
		if !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "+++") && strings.TrimSpace(line) != "" {
			b.WriteString("    " + line)
		}
	}
	return b.String(), nil
}
