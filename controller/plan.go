// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// target is a companion as it should be.
type target struct {
	ref mesh.AppRef
	// enrolled is the mesh.App or mesh.Ingress, without its state.
	enrolled any
	// holder carries the conditions.
	holder holder
	// objects are rendered, the workload among them.
	objects []client.Object
	// policies are generated, or nil where the namespace's policies are the user's.
	policies []client.Object
	mode     mesh.Mode
	// findings are those of coverage, before modes.
	findings []mesh.Finding
	state    mesh.CompanionState
	// obstacle says why the companion can neither be started nor rolled, or is nil.
	obstacle *hold
	// caveats are what there is to say of a companion that runs or will.
	caveats []mesh.Finding
}

// observed is what exists under a companion's app ID.
type observed struct {
	// ours is what daprise made, as cached.
	ours []client.Object
	// foreign are objects of a name that the companion needs and that are not ours.
	foreign []mesh.Object
	// unserved are kinds that the API server does not serve: nothing of them is applied.
	unserved []schema.GroupKind
	// routed says that a stored route sends traffic through the companion.
	routed bool
	// pods says that a companion's pod exists. It is only known where nothing but policies is left.
	pods bool
	// successor says what takes the place of a companion on its way out and is not ready yet, or is empty.
	successor string
}

// plan is what is to be done. Waves are applied one after the other, a wave's objects in any order; then remove is removed.
type plan struct {
	waves  [][]client.Object
	remove []client.Object
	// held says why the workload is not created, or is nil.
	held *hold
	// leaving says what a companion on its way out waits for, or is empty.
	leaving string
	// refused says what the API server refused of it, or is empty.
	refused string
}

// hold is a reason of condition Companion and a message.
type hold struct{ reason, message string }

// identity tells objects of a companion apart: one namespace holds them all.
type identity struct {
	schema.GroupKind
	name string
}

func identityOf(object client.Object) identity {
	gvk := object.GetObjectKind().GroupVersionKind()
	return identity{gvk.GroupKind(), object.GetName()}
}

// planStay plans for an enrolled companion: first its policies, then what its pods need, then the workload unless it is held. A
// workload that runs is never withdrawn: one of the former strategy goes when the new one is ready, and so does the Configuration that
// pods of the former template would start with. Policies that are no longer
// generated stay as long as the companion does: taking them away would open it. It does not modify its arguments.
func planStay(t target, o observed) plan {
	var p plan
	policies, support, workload := outdated(t.policies, o), outdated(withoutWorkloads(t.objects), o), outdated(workloads(t.objects), o)
	replaced := immutable(support, o)
	p.remove = append(p.remove, replaced...)
	support = slices.DeleteFunc(support, func(object client.Object) bool {
		return slices.ContainsFunc(replaced, func(r client.Object) bool { return identityOf(r) == identityOf(object) })
	})
	p.waves = [][]client.Object{policies, support}
	live := len(workloads(o.ours)) > 0
	p.held = holdOf(t, o)
	// With an obstacle the template rendered is not one to roll to.
	if live && t.obstacle == nil || !live && p.held == nil {
		p.waves = append(p.waves, workload)
	}
	if live {
		p.held = nil
	}
	wanted := slices.Concat(t.objects, t.policies)
	for _, object := range o.ours {
		switch {
		case contains(wanted, object), isolates(object, t.ref):
		case (isWorkload(object) || isConfiguration(object)) && (!t.state.Ready || t.obstacle != nil):
		default:
			p.remove = append(p.remove, object)
		}
	}
	return p
}

// holdOf says why a companion that does not run yet may not start.
func holdOf(t target, o observed) *hold {
	if len(o.foreign) > 0 {
		return &hold{reasonConflict, fmt.Sprintf("%s exists and was not made by daprise; delete or rename it, or choose another %s", o.foreign[0], mesh.AnnotationAppID)}
	}
	if t.obstacle != nil {
		return t.obstacle
	}
	if t.mode != mesh.ModeEnforce && t.mode != mesh.ModeStrict {
		return nil
	}
	if open := slices.IndexFunc(t.findings, losesIsolation); open >= 0 {
		return &hold{reasonHeld, sentence(t.findings[open])}
	}
	return nil
}

// losesIsolation says that a finding of coverage is about who else may reach a companion, or that this cannot be known.
func losesIsolation(f mesh.Finding) bool {
	switch f.Code {
	case mesh.CodeNotIsolated, mesh.CodeTooBroad, mesh.CodePolicyVoid, mesh.CodeNotJudged, mesh.CodeZtunnel, mesh.CodeLabelHolder, mesh.CodeCiliumSetting:
		return true
	default:
		return false
	}
}

// planLeave plans for a companion without an enrolment: nothing goes while a stored route still sends traffic through it, or what takes
// its place is not ready, and the policies that isolate it go last, after the last pod. It does not modify its arguments.
func planLeave(o observed) plan {
	var p plan
	if rest := slices.DeleteFunc(slices.Clone(o.ours), isPolicy); len(rest) > 0 {
		switch {
		case o.routed:
			p.leaving = "routes still send traffic through the companion"
			return p
		case o.successor != "":
			p.leaving = o.successor
			return p
		}
		p.remove, p.leaving = rest, "the companion is being removed"
		return p
	}
	if len(o.ours) > 0 && o.pods {
		p.leaving = "the companion's last pod is not gone yet"
		return p
	}
	p.remove = slices.Clone(o.ours)
	return p
}

// outdated are the wanted objects that are not stored as wanted, without those whose name is taken and those of a kind that is not served.
func outdated(wanted []client.Object, o observed) []client.Object {
	var stale []client.Object
	for _, object := range wanted {
		if slices.Contains(o.unserved, identityOf(object).GroupKind) {
			continue
		}
		if slices.ContainsFunc(o.foreign, func(f mesh.Object) bool { return isObject(object, f) }) {
			continue
		}
		if live := find(o.ours, object); live != nil {
			// What cannot be compared is applied: the API server compares.
			if current, err := upToDate(object, live); err == nil && current {
				continue
			}
		}
		stale = append(stale, object)
	}
	return stale
}

// immutable are the stored objects that have to be replaced, since their spec cannot be updated.
func immutable(stale []client.Object, o observed) []client.Object {
	var replaced []client.Object
	for _, object := range stale {
		if _, ok := object.(*ciliumv2.CiliumLocalRedirectPolicy); !ok {
			continue
		}
		if live := find(o.ours, object); live != nil {
			replaced = append(replaced, live)
		}
	}
	return replaced
}

func find(objects []client.Object, like client.Object) client.Object {
	for _, object := range objects {
		if identityOf(object) == identityOf(like) {
			return object
		}
	}
	return nil
}

func contains(objects []client.Object, like client.Object) bool { return find(objects, like) != nil }

func isObject(object client.Object, named mesh.Object) bool {
	apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
	return apiVersion == named.APIVersion && kind == named.Kind && object.GetName() == named.Name
}

// isolates says that an object is the policy that isolates a companion. The others that are generated open, and may go.
func isolates(object client.Object, ref mesh.AppRef) bool {
	return isPolicy(object) && object.GetName() == mesh.CompanionName(ref.ID)
}

// isConfiguration says that an object is one of Dapr's Configurations.
func isConfiguration(object client.Object) bool {
	return identityOf(object).GroupKind == daprConfiguration().GroupKind()
}

// isPolicy says that an object is a network policy. While a companion leaves, all of them outlive its pods.
func isPolicy(object client.Object) bool {
	switch o := object.(type) {
	case *packed:
		return o.form.gvk.Kind == string(kindCiliumPolicy)
	case *ciliumv2.CiliumNetworkPolicy, *ciliumv2.CiliumClusterwideNetworkPolicy:
		return true
	default:
		return false
	}
}

func workloads(objects []client.Object) []client.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o client.Object) bool { return !isWorkload(o) })
}

func withoutWorkloads(objects []client.Object) []client.Object {
	return slices.DeleteFunc(slices.Clone(objects), isWorkload)
}

// objectsOf are rendered objects as the client takes them; every rendered object is one.
func objectsOf(rendered []runtime.Object) []client.Object {
	objects := make([]client.Object, 0, len(rendered))
	for _, r := range rendered {
		if object, ok := r.(client.Object); ok {
			objects = append(objects, object)
		}
	}
	return objects
}
