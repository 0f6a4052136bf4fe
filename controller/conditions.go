// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Conditions on the status of enrolled Services and Gateways, and their reasons (contract: "Conditions").
const (
	conditionCompanion = "Companion"
	conditionCovered   = "Covered"
	conditionMeshed    = "Meshed"

	reasonReady       = "Ready"
	reasonHeld        = "Held"
	reasonProgressing = "Progressing"
	reasonConflict    = "Conflict"
	reasonRefused     = "Refused"
	reasonDaprMissing = "DaprMissing"

	reasonCovered     = "Covered"
	reasonNotIsolated = "NotIsolated"
	reasonUnreachable = "Unreachable"
	reasonTooBroad    = "TooBroad"
	reasonNotJudged   = "NotJudged"

	reasonMeshed  = "Meshed"
	reasonNoRoute = "NoRoute"
	reasonJoining = "Joining"
	reasonLeaving = "Leaving"
)

// maxMessage is the longest message of a condition (k8s.io/apimachinery, metav1.Condition).
const maxMessage = 32768

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// companionCondition is the condition Companion of an enrolled companion.
func companionCondition(t target, o observed, p plan) metav1.Condition {
	state := t.state
	switch {
	case len(o.foreign) > 0:
		h := holdOf(t, o)
		return condition(conditionCompanion, metav1.ConditionFalse, h.reason, h.message)
	case p.refused != "":
		return condition(conditionCompanion, metav1.ConditionFalse, reasonRefused, p.refused)
	case p.held != nil:
		return condition(conditionCompanion, metav1.ConditionFalse, p.held.reason, p.held.message)
	case state.Ready:
		return condition(conditionCompanion, metav1.ConditionTrue, reasonReady, withCaveats("the companion serves at its current template and Configuration", t))
	case t.obstacle != nil:
		return condition(conditionCompanion, metav1.ConditionFalse, t.obstacle.reason, t.obstacle.message)
	default:
		return condition(conditionCompanion, metav1.ConditionFalse, reasonProgressing, withCaveats(progress(o), t))
	}
}

// progress says what a companion waits for that is neither held nor ready.
func progress(o observed) string {
	message := "the companion is starting or rolling out"
	// What cannot be unpacked tells of no trouble.
	running, _ := unpacked(workloads(o.ours))
	if trouble := troubleOf(running); trouble != "" {
		message += ": " + trouble
	}
	return message
}

func withCaveats(message string, t target) string {
	if len(t.caveats) > 0 {
		message += "\n" + sentences(t.caveats)
	}
	return message
}

// refusedCondition is the condition Companion of an object whose enrolment does not stand.
func refusedCondition(findings []mesh.Finding) metav1.Condition {
	message := "the enrolment does not stand"
	if len(findings) > 0 {
		message = sentences(findings)
	}
	return condition(conditionCompanion, metav1.ConditionFalse, reasonRefused, message)
}

// coveredCondition is the condition Covered, from the findings of coverage before modes. Of several reasons the gravest stands.
func coveredCondition(findings []mesh.Finding) metav1.Condition {
	denials := slices.DeleteFunc(slices.Clone(findings), func(f mesh.Finding) bool { return f.Severity != mesh.Deny })
	if len(denials) == 0 {
		return condition(conditionCovered, metav1.ConditionTrue, reasonCovered, "every flow is allowed in both directions and nobody else reaches the companion")
	}
	reasons := map[string]bool{}
	for _, f := range denials {
		reasons[coverageReason(f.Code)] = true
	}
	for _, reason := range []string{reasonNotJudged, reasonNotIsolated, reasonTooBroad, reasonUnreachable} {
		if reasons[reason] {
			return condition(conditionCovered, metav1.ConditionFalse, reason, sentences(denials))
		}
	}
	return condition(conditionCovered, metav1.ConditionFalse, reasonUnreachable, sentences(denials))
}

func coverageReason(code mesh.Code) string {
	switch code {
	case mesh.CodeNotIsolated, mesh.CodePolicyVoid, mesh.CodeLabelHolder:
		return reasonNotIsolated
	case mesh.CodeTooBroad:
		return reasonTooBroad
	case mesh.CodeNotJudged, mesh.CodeZtunnel, mesh.CodeCiliumSetting, mesh.CodeKindMissing:
		return reasonNotJudged
	default:
		return reasonUnreachable
	}
}

// meshedCondition is the condition Meshed of an app's Service: whether routes of enrolled Gateways reach it through its companion.
// joining are the flows that routes would add that go straight to their apps yet.
func meshedCondition(view *mesh.View, joining []mesh.RouteTarget, app mesh.App) metav1.Condition {
	toApp := func(target mesh.RouteTarget) bool { return target.App == app.AppRef }
	if i := slices.IndexFunc(joining, toApp); i >= 0 {
		return condition(conditionMeshed, metav1.ConditionFalse, reasonJoining, fmt.Sprintf("%s does not go through the companion yet", joining[i].Route))
	}
	if slices.ContainsFunc(view.Routes, toApp) {
		return condition(conditionMeshed, metav1.ConditionTrue, reasonMeshed, "routes go through the companion")
	}
	return condition(conditionMeshed, metav1.ConditionTrue, reasonNoRoute, "no route of an enrolled Gateway names this Service")
}

// leavingCondition is the condition Meshed of a Service whose companion is on its way out.
func leavingCondition(p plan) metav1.Condition {
	return condition(conditionMeshed, metav1.ConditionFalse, reasonLeaving, p.leaving)
}

// sentence is a finding in a condition or an Event.
func sentence(f mesh.Finding) string { return fmt.Sprintf("%s. %s [%s]", f.Message, f.Fix, f.Code) }

func sentences(findings []mesh.Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, sentence(f))
	}
	return strings.Join(all, "\n")
}

// updated are the conditions to store: wanted, each with the time at which its status became what it is. same says that stored already
// holds exactly them. It does not modify its arguments.
func updated(stored, wanted []metav1.Condition, now metav1.Time) (conditions []metav1.Condition, same bool) {
	same = true
	for _, c := range wanted {
		before := meta.FindStatusCondition(stored, c.Type)
		c.LastTransitionTime = now
		if before != nil && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
		same = same && before != nil && before.Status == c.Status && before.Reason == c.Reason && before.Message == c.Message
		conditions = append(conditions, c)
	}
	for _, kind := range []string{conditionCompanion, conditionCovered, conditionMeshed} {
		if meta.FindStatusCondition(wanted, kind) == nil && meta.FindStatusCondition(stored, kind) != nil {
			same = false
		}
	}
	return conditions, same
}

// transitions are the conditions whose reason is another than before. One that is true from the start is none: nothing has changed, and
// nothing is amiss.
func transitions(told []outcome, wanted []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(wanted), func(c metav1.Condition) bool {
		before := slices.IndexFunc(told, func(o outcome) bool { return o.condition == c.Type })
		if before < 0 {
			return c.Status == metav1.ConditionTrue
		}
		return told[before].reason == c.Reason
	})
}

// outcome is a condition and its reason.
type outcome struct{ condition, reason string }

func outcomesOf(conditions []metav1.Condition) []outcome {
	outcomes := make([]outcome, 0, len(conditions))
	for i := range conditions {
		outcomes = append(outcomes, outcome{conditions[i].Type, conditions[i].Reason})
	}
	return outcomes
}
