// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// TestDifferences holds each difference between releases to its fixture: what is said of flows before and since.
func TestDifferences(t *testing.T) {
	for _, d := range differences() {
		if d.name == "gamma" {
			continue // TestSplitsArriveFromTheGateway
		}
		t.Run(d.name, func(t *testing.T) {
			fixture := readFixture(t, d.name)
			for _, f := range fixture.Flows {
				fixture.check(t, d.since-1, f, f.Before)
				fixture.check(t, d.since, f, f.Since)
			}
		})
	}
}

// TestEveryFixtureIsOfADifference finds fixtures that are left over.
func TestEveryFixtureIsOfADifference(t *testing.T) {
	files, err := filepath.Glob("testdata/versions/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, file := range files {
		got = append(got, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	for _, d := range differences() {
		if d.name != "gamma" {
			want = append(want, d.name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fixtures (-want +got):\n%s", diff)
	}
}

type fixture struct {
	Flows []beforeThen `json:"flows"`
	set   *Set
}

type beforeThen struct {
	Flow
	Before outcome `json:"before"`
	Since  outcome `json:"since"`
}

// outcome is a Verdict's, with part of what is said at ingress, or of why it is not judged.
type outcome struct {
	Ingress  bool   `json:"ingress"`
	Egress   bool   `json:"egress"`
	Why      string `json:"why"`
	Unjudged string `json:"unjudged"`
}

func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/versions", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(data), "\n---\n")
	var f fixture
	unmarshal(t, head, &f)
	var policies []*Policy
	var groups []CIDRGroup
	for _, doc := range strings.Split(rest, "\n---\n") {
		var kind struct{ Kind string }
		unmarshal(t, doc, &kind)
		switch kind.Kind {
		case "CiliumCIDRGroup":
			var g ciliumv2.CiliumCIDRGroup
			unmarshal(t, doc, &g)
			groups = append(groups, CIDRGroupOf(&g))
		case KindKNP:
			var p networkingv1.NetworkPolicy
			unmarshal(t, doc, &p)
			policies = append(policies, CompileKNP(&p))
		case KindCCNP:
			var p ciliumv2.CiliumClusterwideNetworkPolicy
			unmarshal(t, doc, &p)
			policies = append(policies, CompileCCNP(&p))
		default:
			var p ciliumv2.CiliumNetworkPolicy
			unmarshal(t, doc, &p)
			policies = append(policies, CompileCNP(&p))
		}
	}
	f.set = NewSet(policies...).WithCIDRGroups(groups...)
	return f
}

func unmarshal(t *testing.T, doc string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(doc), into); err != nil {
		t.Fatalf("decode %s: %v", doc, err)
	}
}

func (f fixture) check(t *testing.T, r release, flow beforeThen, want outcome) {
	t.Helper()
	version := fmt.Sprintf("1.%d.%d", r/100, r%100)
	set := f.set.InCilium(mesh.Cilium{Version: version, AnyCluster: AnyClusterByDefault(version)})
	v := set.Verdict(flow.Flow)
	got := outcome{Ingress: v.Ingress, Egress: v.Egress}
	if want.Unjudged != "" || len(v.Unjudged) > 0 {
		got = outcome{Unjudged: want.Unjudged}
		if want.Unjudged == "" || !strings.Contains(strings.Join(v.Unjudged, "\n"), want.Unjudged) {
			got.Unjudged = strings.Join(v.Unjudged, "\n")
		}
	}
	if want.Why != "" && strings.Contains(v.IngressBy.Why, want.Why) {
		got.Why = want.Why
	}
	if want.Why == "" && strings.Contains(v.IngressBy.Why, "part of the requests") && flow.Before.Why != "" {
		got.Why = v.IngressBy.Why
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s to %s on %d (-want +got):\n%s", version, flow.From, flow.To, flow.Port, diff)
	}
}

// TestReleaseOf reads versions; of others than releases from 1.16 to 1.20 nothing is known.
func TestReleaseOf(t *testing.T) {
	for version, want := range map[string]release{
		"1.16.0": 1600, "1.17.5": 1705, "1.18.11": 1811, "1.20.2": 2002, "1.20.15": 2015, "1.19.100": 1999,
		"": 0, "1.15.19": 0, "1.21.0": 0, "2.0.0": 0, "1.20": 0, "1.x.1": 0, "1.20.x": 0,
	} {
		got, ok := releaseOf(version)
		if ok != (want != 0) || ok && got != want || !ok && got != modelled {
			t.Errorf("%q: %d %v, want %d", version, got, ok, want)
		}
	}
}
