// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Files of the example, in the order in which a user applies them.
const (
	fileGateway  = "01-gateway.yaml"
	fileApp      = "02-app.yaml"
	fileSplit    = "03-split.yaml"
	filePolicies = "04-policies.yaml"
	fileRoute    = "05-route.yaml"
)

// app and gateway are the enrolled objects.
func app() [2]string     { return [2]string{"service", "whoami"} }
func gateway() [2]string { return [2]string{"gateway", "default-gateway"} }

// bystanders are the objects that the mesh must give back as they were.
func bystanders() [][2]string {
	return [][2]string{
		{"gateway", "default-gateway"},
		{"service", "whoami"},
		{"service", "whoami-v1"},
		{"service", "whoami-v2"},
		{"deployment", "whoami-v1"},
		{"deployment", "whoami-v2"},
		{"httproute", "whoami-route-service"},
	}
}

func applyPlain(ctx context.Context, p *Player) error {
	for _, file := range []string{fileGateway, fileApp, fileSplit} {
		if err := p.apply(ctx, file); err != nil {
			return err
		}
	}
	p.before = map[string]string{}
	for _, b := range bystanders() {
		text, err := p.view(ctx, b[0], b[1])
		if err != nil {
			return err
		}
		if text == "" {
			return fmt.Errorf("%s %s does not exist", b[0], b[1])
		}
		if strings.Contains(text, "daprise.dev/") {
			return fmt.Errorf("%s %s carries a key of daprise before it was enrolled:\n%s", b[0], b[1], text)
		}
		p.before[b[0]+"/"+b[1]] = text
	}
	return p.noCompanions(ctx)
}

// noCompanions checks that no object of ours exists in the namespace.
func (p *Player) noCompanions(ctx context.Context) error {
	out, err := p.Cluster.Kubectl(ctx, "get", companionKinds, "-l", "app.kubernetes.io/managed-by=daprise", "-o", "name")
	if err != nil {
		return err
	}
	if found := strings.TrimSpace(out.Stdout); found != "" {
		return fmt.Errorf("companions' objects exist:\n%s", found)
	}
	return nil
}

const companionKinds = "serviceaccounts,deployments,daemonsets,services,poddisruptionbudgets,configurations.dapr.io,ciliumnetworkpolicies"

func annotate(ctx context.Context, p *Player) error {
	if err := p.kubectl(ctx, "annotate", "gateway", "default-gateway", "daprise.dev/enabled=true"); err != nil {
		return err
	}
	if err := p.kubectl(ctx, "annotate", "service", "whoami", "daprise.dev/enabled=true"); err != nil {
		return err
	}
	for _, want := range []struct{ kind, name, id string }{{"gateway", "default-gateway", "ingress"}, {"service", "whoami", "whoami"}} {
		after, err := p.view(ctx, want.kind, want.name)
		if err != nil {
			return err
		}
		p.Narrator.Compare("stored: "+want.kind+" "+want.name, p.before[want.kind+"/"+want.name], after)
		if err := containsAll(after, []string{"daprise.dev/app-id: " + want.id}); err != nil {
			return err
		}
	}
	p.Narrator.Say("Admission wrote one label on each. That is all it ever writes on an enrolled object.")
	return nil
}

func refuseOpenRoute(ctx context.Context, p *Player) error {
	if err := p.eventually(ctx, "companions are held", func(ctx context.Context) error {
		return p.condition(ctx, app(), "Companion=False Held")
	}); err != nil {
		return err
	}
	if err := p.kubectl(ctx, "get", "service", "whoami", "-o", conditionColumns); err != nil {
		return err
	}
	for _, workload := range []string{"deployment/whoami-dapr", "daemonset/ingress-dapr"} {
		kind, name, _ := strings.Cut(workload, "/")
		if u, err := p.object(ctx, kind, name); err != nil || u != nil {
			return fmt.Errorf("%s exists though the companion is held (%w)", workload, err)
		}
	}
	return p.refused(ctx, []string{"HTTPRoute default/whoami-route refused", "[DPR101]", "kind: CiliumNetworkPolicy"},
		"apply", "-f", p.file(fileRoute))
}

const conditionColumns = `jsonpath={range .status.conditions[*]}{.type}={.status} ({.reason}) {.message}{"\n"}{end}`

// condition checks that an object (kind, name) has a condition, "Type=Status Reason".
func (p *Player) condition(ctx context.Context, object [2]string, want string) error {
	conditions, err := p.conditions(ctx, object)
	if err != nil {
		return err
	}
	for _, c := range conditions {
		have, _ := c.(map[string]any)
		if fmt.Sprintf("%v=%v %v", have["type"], have["status"], have["reason"]) == want {
			return nil
		}
	}
	return fmt.Errorf("%s %s has no condition %q: %v", object[0], object[1], want, conditions)
}

// noConditions checks that an object (kind, name) has none of daprise's conditions.
func (p *Player) noConditions(ctx context.Context, object [2]string) error {
	conditions, err := p.conditions(ctx, object)
	if err != nil {
		return err
	}
	for _, c := range conditions {
		have, _ := c.(map[string]any)
		if kind, _ := have["type"].(string); slices.Contains([]string{"Companion", "Covered", "Meshed"}, kind) {
			return fmt.Errorf("%s %s still has the condition %v", object[0], object[1], have)
		}
	}
	return nil
}

func (p *Player) conditions(ctx context.Context, object [2]string) ([]any, error) {
	kind, name := object[0], object[1]
	u, err := p.object(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, fmt.Errorf("%s %s does not exist", kind, name)
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return nil, fmt.Errorf("conditions of %s %s: %w", kind, name, err)
	}
	return conditions, nil
}
