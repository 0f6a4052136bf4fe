// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Past reports that others than an app's companion may reach the app's own pods on the port that it serves (DPR110): such calls pass Dapr's
// access control by. It is one finding at most, of severity Warn, about the enrolled object; none where no pod is known. The pods' node
// counts for nothing, as Cilium always lets it in. Past does not modify its arguments.
func Past(view *mesh.View, set *Set, app mesh.App) []mesh.Finding {
	j := newJudge(view, set, ofApp(view, app))
	for _, n := range j.c.flows {
		if !n.toApp || n.assumed || n.to.object != app.Service || n.to.namespace != app.Namespace {
			continue
		}
		x := newExposure(j.met.of(n.to.endpoint), n.port, question{allowed: j.c.arriving(n), namespaces: view.Namespaces})
		if leaks := x.answer().Leaks; len(leaks) > 0 {
			return []mesh.Finding{j.past(n, leaks[0])}
		}
	}
	return nil
}

// arriving are those from whom the flows to the end of one come: the companion, and the gateway where a split's traffic comes from there.
func (c *companion) arriving(n need) []Source {
	allowed := companionSources(c.ref)
	for _, o := range c.flows {
		if o.toApp && o.to.name == n.to.name && o.from.endpoint.Entity != "" {
			allowed = append(allowed, Source{Entity: o.from.endpoint.Entity})
		}
	}
	return allowed
}

func (j *judge) past(n need, leak Leak) mesh.Finding {
	why := "no policy closes them"
	if by := leak.By.by; by != nil && by.policy.ref != (Ref{}) {
		why = fmt.Sprintf("%s of %s allows it", by.field(), by.policy.ref.Object())
	}
	f := j.finding(mesh.CodeAppReachable, fmt.Sprintf("%s can be reached on %d/TCP past %s: %s may, since %s", n.to.name, n.port, j.c, inWords(leak.Witness), why))
	f.Severity = mesh.Warn
	f.Witness = &mesh.Witness{From: inWords(leak.Witness), To: n.to.name, Port: n.port, Protocol: string(TCP)}
	f.Fix = "Apply the policy below, which leaves that port to the companion, or suppress this while others call the app directly (" + mesh.AnnotationSuppress + ")."
	f.Manifest = j.keepingOut(n)
	return f
}

// keepingOut is the YAML of a policy that denies an app's port to all but its companion, and closes nothing else.
func (j *judge) keepingOut(n need) string {
	rule := &api.Rule{
		EndpointSelector:  api.NewESFromMatchRequirements(n.to.selector, nil),
		EnableDefaultDeny: api.DefaultDenyConfig{Ingress: new(false)},
	}
	var ports []int32
	for _, o := range j.c.flows {
		if o.toApp && o.to.name == n.to.name && !slices.Contains(ports, o.port) {
			ports = append(ports, o.port)
		}
	}
	slices.Sort(ports)
	for _, port := range ports {
		rule.IngressDeny = append(rule.IngressDeny, denyAllBut(exposed{port: port, others: j.c.arriving(n)})...)
	}
	return written(&ciliumv2.CiliumNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cilium.io/v2", Kind: KindCNP},
		ObjectMeta: metav1.ObjectMeta{Name: n.to.object + "-by-companion-only", Namespace: n.to.namespace},
		Spec:       rule,
	})
}
