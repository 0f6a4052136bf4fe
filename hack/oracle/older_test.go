// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/hack/oracle"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// older names the versions whose engines are built and asked, with commas between: "1.19,1.16". None by default: each is most of a Cilium,
// minutes to compile.
var older = flag.String("older", "", "versions of Cilium to compare with beside the newest")

// TestDifferentialOlder compares mesh/policy with the engines of older versions, over the same policies and endpoints as the newest.
func TestDifferentialOlder(t *testing.T) {
	for _, minor := range minors(t) {
		t.Run(minor, func(t *testing.T) {
			engine, cilium := run(t, minor)
			n := newTally(t)
			rapid.Check(t, func(t *rapid.T) {
				objects := policies(t)
				set := compareOlder(t, objects, sides{engine, cilium}, n)
				for range flowsPerSet {
					one(t, objects, set, enforcing{engine, set}, flow(t), n)
				}
			})
			n.report()
		})
	}
}

// TestDifferentialOlderFound asks the older engines for the flows of the fixtures: what each version does otherwise (testdata/versions), and
// what was found to differ once (testdata/cilium).
func TestDifferentialOlderFound(t *testing.T) {
	files, err := filepath.Glob("../../mesh/policy/testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, minor := range minors(t) {
		engine, cilium := run(t, minor)
		for _, file := range files {
			t.Run(minor+"/"+strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				head, rest, _ := strings.Cut(string(data), "\n---\n")
				var want struct {
					Flows []policy.Flow `json:"flows"`
				}
				if err := yaml.Unmarshal([]byte(head), &want); err != nil {
					t.Fatal(err)
				}
				objects := groupsIn(t, rest)
				for _, tree := range policiesIn(rest) {
					name, _ := tree["metadata"].(map[string]any)["name"].(string)
					object, ok := typed(tree, name)
					if !ok {
						t.Fatalf("cannot decode %s", name)
					}
					objects = append(objects, object)
				}
				n := newTally(t)
				set := compareOlder(t, objects, sides{engine, cilium}, n)
				for _, f := range want.Flows {
					one(t, objects, set, enforcing{engine, set}, f, n)
				}
			})
		}
	}
}

// enforcing takes our word where no policy is enforced, at addresses outside the cluster: older engines cannot make a rule that selects
// one by all its labels, and nothing asks them to.
type enforcing struct {
	*oracle.Older
	set *policy.Set
}

func (e enforcing) Verdict(f policy.Flow) (ingress, egress bool, err error) {
	ingress, egress, err = e.Older.Verdict(f)
	ours := e.set.Verdict(f)
	if f.To.Address.IsValid() {
		ingress = ours.Ingress
	}
	if f.From.Address.IsValid() {
		egress = ours.Egress
	}
	return ingress, egress, err
}

func minors(t *testing.T) []string {
	t.Helper()
	if *older == "" {
		t.Skip("-older names no version")
	}
	return strings.Split(*older, ",")
}

// run builds and starts the engine of a minor version, and tells what daprise would know of that Cilium.
func run(t *testing.T, minor string) (*oracle.Older, mesh.Cilium) {
	t.Helper()
	module := "./cilium" + strings.ReplaceAll(minor, ".", "")
	program := filepath.Join(t.TempDir(), "engine")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", module, err, out)
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/cilium/cilium")
	list.Dir = module
	version, err := list.Output()
	if err != nil {
		t.Fatalf("ask %s for its version: %v", module, err)
	}
	engine, err := oracle.RunOlder(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	cilium := mesh.Cilium{Version: strings.TrimPrefix(strings.TrimSpace(string(version)), "v"), Cluster: oracle.Cluster}
	cilium.AnyCluster = policy.AnyClusterByDefault(cilium.Version)
	return engine, cilium
}

// sides are an engine and what is known of its Cilium.
type sides struct {
	engine *oracle.Older
	cilium mesh.Cilium
}

// compareOlder is compare with an older engine.
func compareOlder(t rapid.TB, objects []any, s sides, n *tally) *policy.Set {
	t.Helper()
	refused, err := s.engine.Load(objects...)
	if errors.Is(err, oracle.ErrCrash) {
		// And so it says of each flow.
		return policy.NewSet()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.sets++
	var compiled []*policy.Policy
	var groups []policy.CIDRGroup
	set := policy.NewSet().InCilium(s.cilium)
	for i, object := range objects {
		if g, ok := object.(*ciliumv2.CiliumCIDRGroup); ok {
			groups = append(groups, policy.CIDRGroupOf(g))
			continue
		}
		p := compile(object)
		reason, void := set.VoidIn(p)
		if void != (refused[i] != nil) && !undecided(refused[i]) {
			t.Fatalf("void: we say %v (%s), Cilium %s says %v\n%s", void, reason, s.cilium.Version, refused[i], written(object))
		}
		n.policy(object, void)
		compiled = append(compiled, p)
	}
	return policy.NewSet(compiled...).WithCIDRGroups(groups...).InCilium(s.cilium)
}

// undecided says that an object is refused for what mesh/policy does not decide, and says so of each flow.
func undecided(refusal error) bool {
	return refusal != nil && (strings.Contains(refusal.Error(), "enable-node-selector-labels") || strings.Contains(refusal.Error(), "does not contain exclude CIDR prefix"))
}
