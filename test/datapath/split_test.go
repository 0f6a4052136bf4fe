// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trials are the requests of which shares are counted.
const trials = 1000

// tolerance is how far a share of trials may be from its weight: five standard deviations of as many independent choices, which chance
// exceeds once in two million.
func tolerance(weight float64) float64 { return 5 * math.Sqrt(weight*(1-weight)/trials) }

// shares sends trials requests and counts what name says of each answer.
func shares(ctx context.Context, t *testing.T, to request, address string, name func(response) string) map[string]float64 {
	t.Helper()
	requests := slices.Repeat([]request{to}, trials)
	responses, err := sendAll(ctx, address, requests)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, r := range responses {
		counted[name(r)] += 1.0 / trials
	}
	return counted
}

// checkShares wants exactly these names, with these weights.
func checkShares(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, share := range got {
		if want[name] == 0 {
			t.Errorf("%.1f %% went to %s", 100*share, name)
		}
	}
	for name, weight := range want {
		if math.Abs(got[name]-weight) > tolerance(weight) {
			t.Errorf("%s got %.1f %%, want %.0f %% within %.1f", name, 100*got[name], 100*weight, 100*tolerance(weight))
		}
	}
	tell(t, "%v", got)
}

const splitHost = "split.example.com"

const splitRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: split-SUFFIX, namespace: default}
spec:
  parentRefs: [{name: GATEWAY}]
  hostnames: [split.example.com]
  rules: [{backendRefs: [{name: second, port: 80, weight: 30}, {name: echo, port: 80, weight: 70}]}]
`

// A rule that is divided between two apps divides as weighted, and every request is for the app that it reaches: what Cilium may not
// mix up, the Services in front of the companion keep apart.
func TestWeightsOverTwoApps(t *testing.T) {
	models(t)
	for _, p := range gateways() {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
			defer cancel()
			address, err := p.address(ctx)
			if err != nil {
				t.Fatal(err)
			}
			// The client's own word on the target counts for nothing.
			r := request{host: splitHost, path: "/x", headers: [][2]string{{"dapr-app-id", "calls.default"}}}
			got := shares(ctx, t, r, address, func(r response) string {
				app := read(r.status, r.body).app
				if strings.HasPrefix(r.body, "{") {
					app = "echo"
				}
				h := said(r)
				if r.status != http.StatusOK || h.Get(calleeHeader) != app || !slices.Equal(h.Values(callerHeader), []string{p.ingress}) {
					return fmt.Sprintf("status %d, %s called as %q by %q", r.status, app, h.Get(calleeHeader), h.Values(callerHeader))
				}
				return app
			})
			checkShares(t, got, map[string]float64{"second": .3, "echo": .7})
		})
	}
}

// gamma plays what Cilium does in front of a Service that is the parent of an HTTPRoute: what Pods send to it is taken to a gateway,
// which serves by the routes of the Service.
const gamma = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: gamma, namespace: gateway-system}
spec:
  selector: {matchLabels: {app: gamma}}
  template:
    metadata: {labels: {app: gamma}}
    spec:
      serviceAccountName: gatewayd
      terminationGracePeriodSeconds: 10
      containers:
      - name: gatewayd
        image: daprise/gatewayd:test
        args: [--parent=Service/default/whoami]
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 8082}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// redirected takes what Pods send to a Service's port 80 to a Pod instead: before kube-proxy's own rules see it, whose priority is -100.
// Connections that go straight to the Service's endpoints, from before, are reset.
func redirected(t *testing.T, service, to string) {
	t.Helper()
	nft(t, strings.NewReplacer("SERVICE", service, "GATEWAY", to).Replace(`table ip gamma {
chain taken { type nat hook prerouting priority -110; ip daddr SERVICE tcp dport 80 dnat to GATEWAY:80; }
chain cut { type filter hook forward priority -10; ct original ip daddr SERVICE tcp dport 8080 reject with tcp reset; }
}`))
	t.Cleanup(func() { nft(t, "delete table ip gamma") })
}

func nft(t *testing.T, rules string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("nft: %v: %s", err, out)
	}
}

func version(r response) string {
	if r.status != http.StatusOK || calledBy(r) == "" {
		return fmt.Sprintf("status %d: %.100s", r.status, r.body)
	}
	return read(r.status, r.body).app
}

func weighted(ctx context.Context, t *testing.T, v1, v2 int) {
	t.Helper()
	patch := fmt.Sprintf(`[{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": %d}, {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": %d}]`, v1, v2)
	eventually(ctx, t, "change the weights", func(ctx context.Context) error {
		_, err := shared.Kubectl(ctx, "patch", "httproute", "whoami-route-service", "--type=json", "-p", patch)
		return err
	})
}

// A split behind the companion shifts as weighted, and follows a change while it is used, with no request lost.
func TestSplitBehindTheCompanion(t *testing.T) {
	models(t)
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	if err := applied(ctx, []byte(gamma)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.KubectlIn(context.Background(), []byte(gamma), "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	if err := w.WaitDeployment(ctx, client.ObjectKey{Namespace: "gateway-system", Name: "gamma"}); err != nil {
		t.Fatal(err)
	}
	pods, err := w.ReadyPods(ctx, "gateway-system", client.MatchingLabels{"app": "gamma"})
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods: %v", len(pods), err)
	}
	service, err := w.ServiceAddress(ctx, client.ObjectKey{Namespace: namespace, Name: "whoami"})
	if err != nil {
		t.Fatal(err)
	}
	address, err := gateway(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := request{path: "/x"}
	redirected(t, service, pods[0].Status.PodIP)
	defer weighted(context.Background(), t, 50, 50)
	// Without the gateway's part in it, both versions would answer.
	weighted(ctx, t, 1, 0)
	follows(ctx, t, address, "v1")
	weighted(ctx, t, 50, 50)
	follows(ctx, t, address, "v1", "v2")
	checkShares(t, shares(ctx, t, r, address, version), map[string]float64{"v1": .5, "v2": .5})

	l := startLoad(t)
	defer l.end(t)
	until(ctx, t, l, 25)
	weighted(ctx, t, 90, 10)
	eventually(ctx, t, "the weights are followed", func(ctx context.Context) error {
		counted, err := sample(ctx, address, 100)
		if err == nil && counted["v1"] < 75 { // 50 or 90 are expected, and 75 is five standard deviations from either
			err = fmt.Errorf("%v", counted)
		}
		return err
	})
	checkShares(t, shares(ctx, t, r, address, version), map[string]float64{"v1": .9, "v2": .1})
}

// follows waits until exactly these versions answer.
func follows(ctx context.Context, t *testing.T, address string, versions ...string) {
	t.Helper()
	eventually(ctx, t, "the split goes to "+strings.Join(versions, " and "), func(ctx context.Context) error {
		counted, err := sample(ctx, address, 50)
		if err != nil {
			return err
		}
		for name := range counted {
			if !slices.Contains(versions, name) {
				return fmt.Errorf("also to %s: %v", name, counted)
			}
		}
		if len(counted) != len(versions) {
			return fmt.Errorf("only to %v", counted)
		}
		return nil
	})
}

func sample(ctx context.Context, address string, n int) (map[string]int, error) {
	responses, err := sendAll(ctx, address, slices.Repeat([]request{{path: "/x"}}, n))
	counted := map[string]int{}
	for _, r := range responses {
		counted[version(r)]++
	}
	return counted, err
}
