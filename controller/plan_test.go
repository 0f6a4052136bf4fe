// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// app is a minimal enrolled app.
func app(tweaks ...func(*mesh.App)) mesh.App {
	a := mesh.App{
		AppRef:   mesh.AppRef{Namespace: "default", ID: "whoami"},
		Owner:    mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"}, UID: "u"},
		Service:  "whoami",
		Port:     80,
		Protocol: "http",
		Strategy: mesh.StrategyDeployment,
		Replicas: 2,
		DaprAPI:  true,
	}
	for _, tweak := range tweaks {
		tweak(&a)
	}
	return a
}

func daemonset(a *mesh.App) { a.Strategy, a.Replicas = mesh.StrategyDaemonSet, 0 }
func redirect(a *mesh.App)  { a.LocalRedirect = true }
func ownConfiguration(a *mesh.App) {
	a.Dapr = map[string]string{mesh.AnnotationConfig: "tracing"}
}

func objectsFor(tweaks ...func(*mesh.App)) []client.Object {
	return objectsOf(companion.App(app(tweaks...), companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: "pem"}))
}

func generated() client.Object {
	p := &ciliumv2.CiliumNetworkPolicy{}
	p.SetGroupVersionKind(ciliumv2.SchemeGroupVersion.WithKind("CiliumNetworkPolicy"))
	p.Namespace, p.Name = "default", "whoami-dapr"
	p.Labels = mesh.ObjectLabels("whoami", mesh.ComponentApp)
	return p
}

func generatedOpening() client.Object {
	p := generated()
	p.SetName(mesh.OutName("whoami"))
	return p
}

// stored are objects as if they had been applied before.
func stored(objects ...client.Object) []client.Object {
	var all []client.Object
	for i, object := range objects {
		s := object.DeepCopyObject().(client.Object)
		s.SetUID(types.UID(fmt.Sprint(i)))
		all = append(all, s)
	}
	return all
}

func without(kind string, objects []client.Object) []client.Object {
	var rest []client.Object
	for _, object := range objects {
		if object.GetObjectKind().GroupVersionKind().Kind != kind {
			rest = append(rest, object)
		}
	}
	return rest
}

// wanting is an app's companion that may run.
func wanting(tweaks ...func(*target)) target {
	t := target{ref: app().AppRef, objects: objectsFor(), mode: mesh.ModeEnforce}
	for _, tweak := range tweaks {
		tweak(&t)
	}
	return t
}

func finding(code mesh.Code) mesh.Finding {
	return mesh.Finding{Code: code, Severity: mesh.Deny, Message: "open", Fix: "Close it."}
}

// outline is a plan in words.
type outline struct {
	waves   [][]string
	remove  []string
	held    string
	leaving string
}

func outlineOf(p plan) outline {
	o := outline{remove: kindsOf(p.remove), leaving: p.leaving}
	for _, wave := range p.waves {
		if names := kindsOf(wave); len(names) > 0 {
			o.waves = append(o.waves, names)
		}
	}
	if p.held != nil {
		o.held = p.held.reason
	}
	return o
}

func kindsOf(objects []client.Object) []string {
	var names []string
	for _, object := range objects {
		names = append(names, object.GetObjectKind().GroupVersionKind().Kind+" "+object.GetName())
	}
	return names
}

func support() []string {
	return []string{
		"ServiceAccount whoami-dapr", "Configuration whoami-dapr", "Service whoami-dapr", "Service whoami-dapr-api",
		"PodDisruptionBudget whoami-dapr",
	}
}

func TestPlanStay(t *testing.T) {
	workload := []string{"Deployment whoami-dapr"}
	tests := []struct {
		name   string
		target target
		exists observed
		want   outline
	}{
		{name: "all at once, the workload last", target: wanting(), want: outline{waves: [][]string{support(), workload}}},
		{name: "policies first",
			target: wanting(func(t *target) { t.policies = []client.Object{generated()} }),
			want:   outline{waves: [][]string{{"CiliumNetworkPolicy whoami-dapr"}, support(), workload}}},
		{name: "nothing to do", target: wanting(), exists: observed{ours: stored(objectsFor()...)}},
		{name: "only what differs", target: wanting(), exists: observed{ours: stored(without("ServiceAccount", objectsFor())...)},
			want: outline{waves: [][]string{{"ServiceAccount whoami-dapr"}}}},
		{name: "held in enforce until isolated",
			target: wanting(func(t *target) { t.findings = []mesh.Finding{finding(mesh.CodeNotIsolated)} }),
			want:   outline{waves: [][]string{support()}, held: reasonHeld}},
		{name: "held in strict until judged",
			target: wanting(func(t *target) { t.mode, t.findings = mesh.ModeStrict, []mesh.Finding{finding(mesh.CodeCiliumSetting)} }),
			want:   outline{waves: [][]string{support()}, held: reasonHeld}},
		{name: "not held for a flow that is denied",
			target: wanting(func(t *target) { t.findings = []mesh.Finding{finding(mesh.CodeFlowDenied)} }),
			want:   outline{waves: [][]string{support(), workload}}},
		{name: "not held in warn",
			target: wanting(func(t *target) { t.mode, t.findings = mesh.ModeWarn, []mesh.Finding{finding(mesh.CodeNotIsolated)} }),
			want:   outline{waves: [][]string{support(), workload}}},
		{name: "held without a trust bundle", target: wanting(func(t *target) { t.obstacle = &hold{reasonDaprMissing, "no trust bundle"} }),
			want: outline{waves: [][]string{support()}, held: reasonDaprMissing}},
		{name: "held without Dapr, whose kind is not applied", target: wanting(func(t *target) { t.obstacle = &hold{reasonDaprMissing, "no Dapr"} }),
			exists: observed{unserved: []schema.GroupKind{daprConfiguration().GroupKind()}},
			want:   outline{waves: [][]string{except(support(), 1)}, held: reasonDaprMissing}},
		{name: "held where a name is taken",
			target: wanting(), exists: observed{foreign: []mesh.Object{{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami-dapr"}}},
			want: outline{waves: [][]string{except(support(), 2)}, held: reasonConflict}},
		{name: "never withdrawn once it runs",
			target: wanting(func(t *target) { t.findings = []mesh.Finding{finding(mesh.CodeNotIsolated)} }), exists: observed{ours: stored(objectsFor()...)}},
		{name: "not rolled without a trust bundle",
			target: wanting(func(t *target) {
				t.obstacle, t.objects = &hold{reasonDaprMissing, "no trust bundle"}, objectsFor(func(a *mesh.App) { a.Port = 81 })
			}),
			exists: observed{ours: stored(objectsFor()...)}},
		{name: "the new strategy before the old one goes",
			target: wanting(func(t *target) { t.objects = objectsFor(daemonset) }), exists: observed{ours: stored(objectsFor()...)},
			want: outline{waves: [][]string{{"Service whoami-dapr-api"}, {"DaemonSet whoami-dapr"}}, remove: []string{"PodDisruptionBudget whoami-dapr"}}},
		{name: "the old strategy goes when the new one is ready",
			target: wanting(func(t *target) { t.objects, t.state.Ready = objectsFor(daemonset), true }),
			exists: observed{ours: stored(append(objectsFor(daemonset), workloads(objectsFor())...)...)},
			want:   outline{remove: workload}},
		{name: "the former Configuration stays while pods may start with it",
			target: wanting(func(t *target) { t.objects = objectsFor(ownConfiguration) }), exists: observed{ours: stored(objectsFor()...)},
			want: outline{waves: [][]string{workload}}},
		{name: "also where the pods cannot be rolled",
			target: wanting(func(t *target) {
				t.objects, t.state.Ready, t.obstacle = objectsFor(ownConfiguration), true, &hold{reasonHeld, "no such Configuration"}
			}),
			exists: observed{ours: stored(objectsFor()...)}},
		{name: "the former Configuration goes when the pods are rolled",
			target: wanting(func(t *target) { t.objects, t.state.Ready = objectsFor(ownConfiguration), true }),
			exists: observed{ours: stored(append(objectsFor(ownConfiguration), objectsFor()[1])...)},
			want:   outline{remove: []string{"Configuration whoami-dapr"}}},
		{name: "a redirect whose spec differs is replaced",
			target: wanting(func(t *target) { t.objects = objectsFor(redirect) }), exists: observed{ours: stored(otherRedirect()...)},
			want: outline{remove: []string{"CiliumLocalRedirectPolicy whoami-dapr"}}},
		{name: "policies stay when they are no longer generated",
			target: wanting(), exists: observed{ours: stored(append(objectsFor(), generated())...)}},
		{name: "openings go when nothing is closed any more",
			target: wanting(), exists: observed{ours: stored(append(objectsFor(), generated(), generatedOpening())...)},
			want: outline{remove: []string{"CiliumNetworkPolicy whoami-dapr-out"}}},
		{name: "openings stay while they are wanted",
			target: wanting(func(t *target) { t.policies = []client.Object{generatedOpening()} }),
			exists: observed{ours: stored(append(objectsFor(), generatedOpening())...)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := outlineOf(planStay(test.target, test.exists))
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(outline{})); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// except is names without the one at an index.
func except(names []string, index int) []string {
	return append(append([]string(nil), names[:index]...), names[index+1:]...)
}

func otherRedirect() []client.Object {
	objects := objectsFor(redirect)
	for _, object := range objects {
		if r, ok := object.(*ciliumv2.CiliumLocalRedirectPolicy); ok {
			r.Spec.RedirectFrontend.ServiceMatcher.Name = "other"
		}
	}
	return objects
}

func TestPlanLeave(t *testing.T) {
	all := stored(append(objectsFor(), generated())...)
	rest := append(support(), "Deployment whoami-dapr")
	policy := []string{"CiliumNetworkPolicy whoami-dapr"}
	tests := []struct {
		name   string
		exists observed
		want   outline
	}{
		{name: "nothing left"},
		{name: "nothing goes before its successor is ready", exists: observed{ours: all, successor: "another is not ready"}, want: outline{leaving: "another is not ready"}},
		{name: "nothing goes while routes go through it", exists: observed{ours: all, routed: true}, want: outline{leaving: "routes still send traffic through the companion"}},
		{name: "all but the policies", exists: observed{ours: all}, want: outline{remove: rest, leaving: "the companion is being removed"}},
		{name: "policies wait for the last pod", exists: observed{ours: stored(generated()), pods: true}, want: outline{leaving: "the companion's last pod is not gone yet"}},
		{name: "so do openings", exists: observed{ours: stored(generatedOpening()), pods: true}, want: outline{leaving: "the companion's last pod is not gone yet"}},
		{name: "policies go last", exists: observed{ours: stored(generated())}, want: outline{remove: policy}},
		{name: "policies do not wait for routes", exists: observed{ours: stored(generated()), routed: true}, want: outline{remove: policy}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := outlineOf(planLeave(test.exists))
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(outline{})); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
