// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"reflect"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// hookFacts is what was read of what the API server is told of daprise.
type hookFacts struct {
	stored []configuration
	// guards says which ValidatingAdmissionPolicies exist and are bound.
	guards map[string]bool
}

func configurations(ctx context.Context, c *Cluster) ([]Line, error) {
	f := hookFacts{guards: map[string]bool{}}
	var err error
	if f.stored, err = c.stored(ctx); err != nil {
		return nil, err
	}
	for _, name := range guards() {
		policy, err := c.get(ctx, client.ObjectKey{Name: name}, &admissionregistrationv1.ValidatingAdmissionPolicy{})
		if err != nil {
			return nil, err
		}
		bound, err := c.get(ctx, client.ObjectKey{Name: name}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{})
		if err != nil {
			return nil, err
		}
		f.guards[name] = policy && bound
	}
	return judgeConfigurations(f, c.config), nil
}

// guards are the ValidatingAdmissionPolicies that come with daprise; their bindings have their names.
func guards() []string {
	return []string{hooks.GuardName, hooks.AccessName, hooks.PowersName, hooks.PowersOverImagesName}
}

// judgeConfigurations compares what is stored with what this version of daprise asks for.
func judgeConfigurations(f hookFacts, config mesh.Config) []Line {
	if len(f.stored) == 0 {
		return []Line{skip("daprise is not installed")}
	}
	mutating, validating := hooks.Configurations(hooks.Options{ExemptNamespaces: config.ExemptNamespaces})
	var lines []Line
	for _, wanted := range []configuration{mutatingOf(mutating), validatingOf(validating)} {
		lines = append(lines, f.compare(wanted)...)
	}
	for _, name := range guards() {
		if !f.guards[name] {
			lines = append(lines, hinted(Fail, "ValidatingAdmissionPolicy "+name+" or its binding does not exist", howToInstall))
		}
	}
	if len(lines) == 0 {
		return []Line{ok("both webhook configurations and %d policies are those of this version", len(f.guards))}
	}
	return lines
}

func (f hookFacts) compare(wanted configuration) []Line {
	var have *configuration
	for i := range f.stored {
		if f.stored[i].kind == wanted.kind {
			have = &f.stored[i]
		}
	}
	if have == nil {
		return []Line{hinted(Fail, wanted.kind+" "+hooks.Name+" does not exist", howToInstall)}
	}
	var lines []Line
	for _, want := range wanted.hooks {
		found, ok := have.hook(want.name)
		switch {
		case !ok:
			lines = append(lines, hinted(Fail, fmt.Sprintf("%s %s has no hook %s", wanted.kind, hooks.Name, want.name), howToInstall))
		case found.failure != want.failure:
			lines = append(lines, hinted(Fail, fmt.Sprintf("hook %s has failurePolicy %s instead of %s", want.name, found.failure, want.failure), howToInstall))
		case !reflect.DeepEqual(found.rules, want.rules):
			lines = append(lines, hinted(Warn, fmt.Sprintf("hook %s has other rules than in this version", want.name), howToInstall))
		}
	}
	return lines
}
