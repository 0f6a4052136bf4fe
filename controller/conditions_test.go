// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

func TestCompanionCondition(t *testing.T) {
	running := observed{ours: stored(objectsFor()...)}
	taken := []mesh.Object{{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami-dapr"}}
	tests := []struct {
		name   string
		target target
		exists observed
		want   metav1.Condition
	}{
		{name: "starting", target: wanting(), exists: running,
			want: condition("Companion", "False", "Progressing", "the companion is starting or rolling out")},
		{name: "ready", target: wanting(func(t *target) { t.state = mesh.CompanionState{Live: true, Ready: true} }), exists: running,
			want: condition("Companion", "True", "Ready", "the companion serves at its current template and Configuration")},
		{name: "held", target: wanting(func(t *target) { t.findings = []mesh.Finding{finding(mesh.CodeTooBroad)} }),
			want: condition("Companion", "False", "Held", "open. Close it. [DPR103]")},
		{name: "running though no longer isolated",
			target: wanting(func(t *target) { t.findings, t.state.Ready = []mesh.Finding{finding(mesh.CodeTooBroad)}, true }), exists: running,
			want: condition("Companion", "True", "Ready", "the companion serves at its current template and Configuration")},
		{name: "name taken", target: wanting(), exists: observed{foreign: taken},
			want: condition("Companion", "False", "Conflict", "Service default/whoami-dapr exists and was not made by daprise; delete or rename it, or choose another dapr.io/app-id")},
		{name: "an obstacle", target: wanting(func(t *target) { t.obstacle = &hold{"DaprMissing", "install Dapr"} }),
			want: condition("Companion", "False", "DaprMissing", "install Dapr")},
		{name: "an obstacle to rolling", target: wanting(func(t *target) { t.obstacle = &hold{"Held", "no such Configuration"} }), exists: running,
			want: condition("Companion", "False", "Held", "no such Configuration")},
		{name: "an obstacle while it serves", exists: running,
			target: wanting(func(t *target) { t.obstacle, t.state.Ready = &hold{"DaprMissing", "install Dapr"}, true }),
			want:   condition("Companion", "True", "Ready", "the companion serves at its current template and Configuration")},
		{name: "a caveat", exists: running,
			target: wanting(func(t *target) { t.state.Ready, t.caveats = true, []mesh.Finding{finding(mesh.CodeConfiguration)} }),
			want:   condition("Companion", "True", "Ready", "the companion serves at its current template and Configuration\nopen. Close it. [DPR312]")},
		{name: "no pod could be made", target: wanting(), exists: observed{ours: stored(failing(t)...)},
			want: condition("Companion", "False", "Progressing", "the companion is starting or rolling out: pods are forbidden: exceeded quota")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := companionCondition(test.target, test.exists, planStay(test.target, test.exists))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusedCondition: what the API server refuses is the reason, whatever else there is to say.
func TestRefusedCondition(t *testing.T) {
	running := observed{ours: stored(objectsFor()...)}
	for _, ready := range []bool{false, true} {
		target := wanting(func(t *target) { t.state.Ready, t.findings = ready, []mesh.Finding{finding(mesh.CodeTooBroad)} })
		p := planStay(target, running)
		p.refused = "exceeded quota"
		want := condition("Companion", "False", "Refused", "exceeded quota")
		if diff := cmp.Diff(want, companionCondition(target, running, p)); diff != "" {
			t.Errorf("condition (-want +got):\n%s", diff)
		}
	}
}

// failing is a companion whose pods the API server refuses.
func failing(t *testing.T) []client.Object {
	t.Helper()
	objects := objectsFor()
	d, ok := objects[len(objects)-1].(*appsv1.Deployment)
	if !ok {
		t.Fatalf("the last object is a %T", objects[len(objects)-1])
	}
	d.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Message: "does not have minimum availability"},
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: `pods "whoami-dapr-5d8-x7k2p" is forbidden: exceeded quota`},
	}
	return objects
}

func TestCoveredCondition(t *testing.T) {
	tests := []struct {
		name  string
		codes []mesh.Code
		want  string
	}{
		{name: "nothing found", want: "Covered"},
		{name: "not isolated", codes: []mesh.Code{mesh.CodeNotIsolated}, want: "NotIsolated"},
		{name: "void policy", codes: []mesh.Code{mesh.CodePolicyVoid}, want: "NotIsolated"},
		{name: "too broad", codes: []mesh.Code{mesh.CodeTooBroad}, want: "TooBroad"},
		{name: "flow denied", codes: []mesh.Code{mesh.CodeFlowDenied}, want: "Unreachable"},
		{name: "not judged", codes: []mesh.Code{mesh.CodeNotJudged}, want: "NotJudged"},
		{name: "ztunnel", codes: []mesh.Code{mesh.CodeZtunnel}, want: "NotJudged"},
		{name: "the gravest of several", codes: []mesh.Code{mesh.CodeFlowDenied, mesh.CodeTooBroad, mesh.CodeNotIsolated}, want: "NotIsolated"},
		{name: "not judged beats all", codes: []mesh.Code{mesh.CodeNotIsolated, mesh.CodeCiliumSetting}, want: "NotJudged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var findings []mesh.Finding
			for _, code := range test.codes {
				findings = append(findings, finding(code))
			}
			got := coveredCondition(findings)
			if got.Reason != test.want || (got.Status == metav1.ConditionTrue) != (test.want == "Covered") {
				t.Errorf("got %s %s, want %s", got.Status, got.Reason, test.want)
			}
		})
	}
	warning := finding(mesh.CodeAppReachable)
	warning.Severity = mesh.Warn
	if got := coveredCondition([]mesh.Finding{warning}); got.Reason != reasonCovered {
		t.Errorf("a warning makes %s", got.Reason)
	}
}

func TestMeshedCondition(t *testing.T) {
	a := app()
	ingress := mesh.Ingress{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "g"}
	object := mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "r"}
	direct := route{object: object, need: mesh.Need{
		Services: []mesh.Name{{Namespace: "default", Name: "whoami"}}, Gateways: []mesh.Name{{Namespace: "default", Name: "g"}},
	}}
	out, elsewhere, gamma := direct, direct, direct
	out.optedOut = true
	elsewhere.need.Gateways = []mesh.Name{{Namespace: "default", Name: "plain"}}
	gamma.need.Gateways = nil
	through := []mesh.RouteTarget{{Route: object, Ingress: ingress.AppRef, App: a.AppRef}}
	tests := []struct {
		name    string
		stored  []route
		targets []mesh.RouteTarget
		want    string
	}{
		{name: "no route", want: "NoRoute"},
		{name: "a route through the companion", targets: through, want: "Meshed"},
		{name: "a route that goes straight", stored: []route{direct}, want: "Joining"},
		{name: "one of each", stored: []route{direct}, targets: through, want: "Joining"},
		{name: "opted out", stored: []route{out}, want: "NoRoute"},
		{name: "another Gateway", stored: []route{elsewhere}, want: "NoRoute"},
		{name: "a route of the Service itself", stored: []route{gamma}, want: "NoRoute"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			view := &mesh.View{Apps: []mesh.App{a}, Ingresses: []mesh.Ingress{ingress}, Routes: test.targets}
			if got := meshedCondition(view, prospects(view, test.stored), a); got.Reason != test.want {
				t.Errorf("got %s, want %s", got.Reason, test.want)
			}
		})
	}
}

func TestUpdatedConditions(t *testing.T) {
	before, now := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	at := func(c metav1.Condition, when metav1.Time) metav1.Condition {
		c.LastTransitionTime = when
		return c
	}
	held, progressing, ready := condition("Companion", "False", "Held", "a"), condition("Companion", "False", "Progressing", "b"), condition("Companion", "True", "Ready", "c")
	others := condition("Programmed", "True", "Programmed", "by Cilium")
	tests := []struct {
		name   string
		stored []metav1.Condition
		wanted []metav1.Condition
		want   []metav1.Condition
		same   bool
	}{
		{name: "first", wanted: []metav1.Condition{held}, want: []metav1.Condition{at(held, now)}},
		{name: "nothing new", stored: []metav1.Condition{at(held, before), others}, wanted: []metav1.Condition{held}, want: []metav1.Condition{at(held, before)}, same: true},
		{name: "another reason, the same status", stored: []metav1.Condition{at(held, before)}, wanted: []metav1.Condition{progressing}, want: []metav1.Condition{at(progressing, before)}},
		{name: "another status", stored: []metav1.Condition{at(held, before)}, wanted: []metav1.Condition{ready}, want: []metav1.Condition{at(ready, now)}},
		{name: "one too many", stored: []metav1.Condition{at(held, before), condition("Meshed", "True", "NoRoute", "")}, wanted: []metav1.Condition{held}, want: []metav1.Condition{at(held, before)}},
		{name: "none of ours", stored: []metav1.Condition{others}, same: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, same := updated(test.stored, test.wanted, now)
			if diff := cmp.Diff(test.want, got); diff != "" || same != test.same {
				t.Errorf("same %v, want %v; conditions (-want +got):\n%s", same, test.same, diff)
			}
		})
	}
}

func TestTransitions(t *testing.T) {
	held, ready, noRoute := condition("Companion", "False", "Held", "open"), condition("Companion", "True", "Ready", ""), condition("Meshed", "True", "NoRoute", "")
	tests := []struct {
		name           string
		stored, wanted []metav1.Condition
		want           []string
	}{
		{name: "amiss from the start", wanted: []metav1.Condition{held}, want: []string{"Held"}},
		{name: "true from the start", wanted: []metav1.Condition{held, noRoute}, want: []string{"Held"}},
		{name: "another message", stored: []metav1.Condition{condition("Companion", "False", "Held", "otherwise open")}, wanted: []metav1.Condition{held}},
		{name: "mended", stored: []metav1.Condition{held, noRoute}, wanted: []metav1.Condition{ready, noRoute}, want: []string{"Ready"}},
		{name: "another reason", stored: []metav1.Condition{condition("Meshed", "True", "Meshed", "")}, wanted: []metav1.Condition{noRoute}, want: []string{"NoRoute"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range transitions(outcomesOf(test.stored), test.wanted) {
				got = append(got, c.Reason)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
