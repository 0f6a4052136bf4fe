// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func startCompanions(ctx context.Context, p *Player) error {
	if err := p.apply(ctx, filePolicies); err != nil {
		return err
	}
	for _, enrolled := range [][2]string{app(), gateway()} {
		for _, want := range []string{"Companion=True Ready", "Covered=True Covered"} {
			if err := p.eventually(ctx, enrolled[1]+" is ready and covered", func(ctx context.Context) error {
				return p.condition(ctx, enrolled, want)
			}); err != nil {
				return err
			}
		}
	}
	return p.kubectl(ctx, "get", companionKinds+",pods", "-l", "app.kubernetes.io/managed-by=daprise")
}

func admitRoute(ctx context.Context, p *Player) error {
	if err := p.apply(ctx, fileRoute); err != nil {
		return err
	}
	stored, err := p.view(ctx, "httproute", "whoami-route")
	if err != nil {
		return err
	}
	applied, err := p.document(fileRoute)
	if err != nil {
		return err
	}
	p.Narrator.Compare("HTTPRoute whoami-route, as applied and as stored", applied, stored)
	if err := containsAll(stored, []string{
		"replacePrefixMatch: /v1.0/invoke/whoami.default/method//",
		"name: ingress-dapr", "port: 3500", "- dapr-app-id", "- dapr-caller-app-id", "daprise.dev/original",
	}); err != nil {
		return err
	}
	return p.eventually(ctx, "whoami is meshed", func(ctx context.Context) error {
		return p.condition(ctx, app(), "Meshed=True Meshed")
	})
}

// document is the one document of an example file, normalised like a stored object.
func (p *Player) document(name string) (string, error) {
	data, err := os.ReadFile(p.file(name))
	if err != nil {
		return "", fmt.Errorf("read the example: %w", err)
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(data, &u.Object); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return userView(u)
}

func applyAgain(ctx context.Context, p *Player) error {
	before, err := p.object(ctx, "httproute", "whoami-route")
	if err != nil {
		return err
	}
	if err := p.apply(ctx, fileRoute); err != nil {
		return err
	}
	after, err := p.object(ctx, "httproute", "whoami-route")
	if err != nil {
		return err
	}
	if before.GetResourceVersion() != after.GetResourceVersion() {
		return fmt.Errorf("resourceVersion changed from %s to %s", before.GetResourceVersion(), after.GetResourceVersion())
	}
	return nil
}

func keepSplit(ctx context.Context, p *Player) error {
	const name = "whoami-route-service"
	if err := p.apply(ctx, fileSplit); err != nil {
		return err
	}
	after, err := p.view(ctx, "httproute", name)
	if err != nil {
		return err
	}
	if before := p.before["httproute/"+name]; before != after {
		return fmt.Errorf("the split changed from\n%s\nto\n%s", before, after)
	}
	p.Narrator.Say("HTTPRoute whoami-route-service, whose parent is a Service, is byte for byte what it was.")
	return nil
}

func refusePolicyDeletion(ctx context.Context, p *Player) error {
	if err := p.refused(ctx, []string{"CiliumNetworkPolicy default/allow-ingress-to-ingress-shared refused", "[DPR101]"},
		"delete", "ciliumnetworkpolicy", "allow-ingress-to-ingress-shared"); err != nil {
		return err
	}
	return p.kubectl(ctx, "get", "ciliumnetworkpolicies")
}

// quarantine closes the app's companion to everybody.
const quarantine = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: quarantine-whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingressDeny:
  - fromEntities: [all]
`

func admitQuarantine(ctx context.Context, p *Player) error {
	out, err := p.Cluster.KubectlIn(ctx, []byte(quarantine), "apply", "-f", "-")
	p.tell("kubectl apply -f - <<EOF\n"+quarantine+"EOF", out)
	if err != nil {
		return err
	}
	if err := containsAll(out.Stderr, []string{"Warning:", "DPR109"}); err != nil {
		return err
	}
	if err := p.eventually(ctx, "the gap is reported", func(ctx context.Context) error {
		return p.condition(ctx, app(), "Covered=False Unreachable")
	}); err != nil {
		return err
	}
	if err := p.kubectl(ctx, "delete", "ciliumnetworkpolicy", "quarantine-whoami"); err != nil {
		return err
	}
	return p.eventually(ctx, "coverage comes back", func(ctx context.Context) error {
		return p.condition(ctx, app(), "Covered=True Covered")
	})
}

func leave(ctx context.Context, p *Player) error {
	for _, enrolled := range [][2]string{app(), gateway()} {
		if err := p.kubectl(ctx, "annotate", enrolled[0], enrolled[1], "daprise.dev/enabled-"); err != nil {
			return err
		}
	}
	if err := p.eventually(ctx, "the route is restored", func(ctx context.Context) error {
		stored, err := p.view(ctx, "httproute", "whoami-route")
		if err != nil {
			return err
		}
		if strings.Contains(stored, "daprise.dev/") || strings.Contains(stored, "/v1.0/invoke") {
			return fmt.Errorf("whoami-route is still rewritten:\n%s", stored)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := p.eventually(ctx, "the companions are gone", p.noCompanions); err != nil {
		return err
	}
	for _, left := range [][2]string{app(), gateway()} {
		if err := p.eventually(ctx, left[0]+" "+left[1]+" has no condition of daprise", func(ctx context.Context) error {
			return p.noConditions(ctx, left)
		}); err != nil {
			return err
		}
	}
	for _, b := range bystanders() {
		if err := p.eventually(ctx, b[0]+" "+b[1]+" is as it was", func(ctx context.Context) error {
			after, err := p.view(ctx, b[0], b[1])
			if err != nil {
				return err
			}
			if before := p.before[b[0]+"/"+b[1]]; before != after {
				return fmt.Errorf("from\n%s\nto\n%s", before, after)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	stored, err := p.view(ctx, "httproute", "whoami-route")
	if err != nil {
		return err
	}
	p.Narrator.Say("HTTPRoute whoami-route, as stored now:\n" + stored)
	return nil
}
