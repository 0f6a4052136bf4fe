// SPDX-License-Identifier: Apache-2.0

// Package status tells how the mesh stands, from what the objects of a cluster say of themselves. It judges nothing: conditions are the
// controller's.
package status

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// Reasons that stand where a condition says nothing.
const (
	// Unknown: the controller has not reported yet, or is down.
	Unknown = "Unknown"
	// Refused: the enrolment does not stand.
	Refused = "Refused"
	// Leaving: the companion is on its way out.
	Leaving = "Leaving"
)

// Conditions that the controller reports (contract: "Conditions").
const (
	conditionCompanion = "Companion"
	conditionCovered   = "Covered"
	conditionMeshed    = "Meshed"
	reasonJoining      = "Joining"
)

// Row is one app or Gateway of the mesh. Companion, Covered and Meshed are the reasons of its conditions.
type Row struct {
	Namespace string `json:"namespace"`
	// App is the app ID.
	App string `json:"app"`
	// Object is what is enrolled, or was.
	Object    mesh.Object `json:"object"`
	Companion string      `json:"companion"`
	// Ready and Wanted count the companion's pods.
	Ready   int32  `json:"ready"`
	Wanted  int32  `json:"wanted"`
	Covered string `json:"covered,omitempty"`
	// Meshed is empty for a Gateway.
	Meshed string `json:"meshed,omitempty"`
	// Routes counts the routes that lead through the companion.
	Routes int `json:"routes"`
	// JoiningSince is when routes began to wait for the companion.
	JoiningSince *time.Time `json:"joiningSince,omitempty"`
	// Message says what stands in the way, if anything does.
	Message string `json:"message,omitempty"`
}

// Cluster is what the rows are made of.
type Cluster struct {
	Config mesh.Config
	// Objects are all Services, Deployments and Gateways.
	Objects    mesh.Objects
	HTTPRoutes []*gatewayv1.HTTPRoute
	GRPCRoutes []*gatewayv1.GRPCRoute
	// DaemonSets are those that daprise made; its Deployments are among Objects.
	DaemonSets []*appsv1.DaemonSet
}

// Rows are sorted by namespace and app ID, those without one by name.
func Rows(c Cluster) []Row {
	enrolled := mesh.Enrol(c.Objects, c.Config)
	pods := c.pods()
	routes := c.routes(enrolled, pods)
	var rows []Row
	for _, a := range enrolled.Apps {
		row := rowOf(a.AppRef, a.Owner.Object, c.conditions(mesh.Object{Kind: mesh.KindService, Namespace: a.Namespace, Name: a.Service}))
		rows = append(rows, row.with(pods[a.AppRef], routes[a.AppRef]))
		delete(pods, a.AppRef)
	}
	for _, g := range enrolled.Ingresses {
		row := rowOf(g.AppRef, g.Owner.Object, c.conditions(g.Owner.Object))
		rows = append(rows, row.with(pods[g.AppRef], routes[g.AppRef]))
		delete(pods, g.AppRef)
	}
	for ref, count := range pods {
		row := Row{Namespace: ref.Namespace, App: ref.ID, Object: count.owner, Companion: Leaving, Meshed: Leaving}
		if m := meta.FindStatusCondition(c.conditions(count.owner), conditionMeshed); m != nil {
			row.Message = m.Message
		}
		rows = append(rows, row.with(count, routes[ref]))
	}
	rows = append(rows, refusedRows(enrolled.Findings)...)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.App, b.App), cmp.Compare(a.Object.String(), b.Object.String()))
	})
	return rows
}

// rowOf reads the conditions of an enrolment.
func rowOf(ref mesh.AppRef, object mesh.Object, conditions []metav1.Condition) Row {
	row := Row{Namespace: ref.Namespace, App: ref.ID, Object: object, Companion: Unknown, Covered: Unknown}
	if object.Kind != mesh.KindGateway {
		row.Meshed = Unknown
	}
	for _, kind := range []string{conditionMeshed, conditionCovered, conditionCompanion} {
		c := meta.FindStatusCondition(conditions, kind)
		if c == nil {
			continue
		}
		switch kind {
		case conditionCompanion:
			row.Companion = c.Reason
		case conditionCovered:
			row.Covered = c.Reason
		default:
			row.Meshed = c.Reason
			if c.Reason == reasonJoining {
				row.JoiningSince = new(c.LastTransitionTime.UTC())
			}
		}
		if c.Status != metav1.ConditionTrue {
			row.Message = c.Message
		}
	}
	return row
}

func (r Row) with(count podCount, routes int) Row {
	r.Ready, r.Wanted, r.Routes = count.ready, count.wanted, routes
	return r
}

// refusedRows are the objects that ask to be enrolled and are not. The first denial of each stands for all.
func refusedRows(findings []mesh.Finding) []Row {
	var rows []Row
	for _, f := range findings {
		known := slices.ContainsFunc(rows, func(r Row) bool { return r.Object == f.Object })
		if f.Severity == mesh.Deny && !known {
			rows = append(rows, Row{Namespace: f.Object.Namespace, Object: f.Object, Companion: Refused, Message: f.Text()})
		}
	}
	return rows
}

// conditions are those of a Service or Gateway; other kinds have none of ours.
func (c Cluster) conditions(object mesh.Object) []metav1.Condition {
	switch object.Kind {
	case mesh.KindService:
		for _, s := range c.Objects.Services {
			if s.Namespace == object.Namespace && s.Name == object.Name {
				return s.Status.Conditions
			}
		}
	case mesh.KindGateway:
		for _, g := range c.Objects.Gateways {
			if g.Namespace == object.Namespace && g.Name == object.Name {
				return g.Status.Conditions
			}
		}
	}
	return nil
}

// podCount is what a companion's workloads say of their pods.
type podCount struct {
	ready, wanted int32
	component     mesh.Component
	// owner is the object that the companion belongs to.
	owner mesh.Object
}

// pods counts the pods of all companions. While one changes its strategy it has two workloads.
func (c Cluster) pods() map[mesh.AppRef]podCount {
	counts := map[mesh.AppRef]podCount{}
	add := func(object metav1.Object, ready, wanted int32) {
		labels := object.GetLabels()
		if labels[mesh.LabelManagedBy] != mesh.ManagedByDaprise || labels[mesh.LabelInstance] == "" {
			return
		}
		ref := mesh.AppRef{Namespace: object.GetNamespace(), ID: labels[mesh.LabelInstance]}
		count := counts[ref]
		count.ready, count.wanted, count.component = count.ready+ready, count.wanted+wanted, mesh.Component(labels[mesh.LabelComponent])
		if owner := metav1.GetControllerOf(object); owner != nil {
			count.owner = mesh.Object{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: ref.Namespace, Name: owner.Name}
		}
		counts[ref] = count
	}
	for _, d := range c.Objects.Deployments {
		wanted := int32(1)
		if d.Spec.Replicas != nil {
			wanted = *d.Spec.Replicas
		}
		add(d, d.Status.ReadyReplicas, wanted)
	}
	for _, d := range c.DaemonSets {
		add(d, d.Status.NumberReady, d.Status.DesiredNumberScheduled)
	}
	return counts
}

// routes counts, for each companion, the routes that lead through it.
func (c Cluster) routes(enrolled mesh.Enrolled, pods map[mesh.AppRef]podCount) map[mesh.AppRef]int {
	ingresses := slices.Clone(enrolled.Ingresses)
	for ref, count := range pods {
		known := slices.ContainsFunc(ingresses, func(g mesh.Ingress) bool { return g.AppRef == ref })
		if count.component == mesh.ComponentIngress && !known {
			ingresses = append(ingresses, mesh.Ingress{AppRef: ref})
		}
	}
	counts := map[mesh.AppRef]int{}
	count := func(targets []mesh.RouteTarget) {
		through := map[mesh.AppRef]bool{}
		for _, t := range targets {
			through[t.Ingress], through[t.App] = true, true
		}
		for ref := range through {
			counts[ref]++
		}
	}
	for _, r := range c.HTTPRoutes {
		count(mesh.RouteTargets(r, ingresses))
	}
	for _, r := range c.GRPCRoutes {
		count(mesh.GRPCRouteTargets(r, ingresses))
	}
	return counts
}
