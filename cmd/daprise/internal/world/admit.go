// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	patches "gomodules.xyz/jsonpatch/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/mutate"
	"github.com/daprise/daprise/validate"
)

// admit admits all objects, as if each were created while all others are there: first enrolments, then the routes, then everything is
// validated as it would be stored.
func (w *World) admit(ctx context.Context) error {
	if err := w.enrol(); err != nil {
		return err
	}
	for _, o := range w.Objects {
		if !isRoute(o.Kind) || w.exempt(o) {
			continue
		}
		if err := w.route(ctx, o); err != nil {
			return err
		}
	}
	w.forget()
	for _, o := range w.Objects {
		if w.exempt(o) {
			continue
		}
		if err := w.validate(ctx, o); err != nil {
			return fmt.Errorf("validate %s: %w", o.Name, err)
		}
	}
	return w.refuse()
}

// refuse puts what is refused back into the store as it was before it asked.
func (w *World) refuse() error {
	for _, o := range w.Objects {
		if !o.Refused() || isPolicy(o.Kind) {
			continue
		}
		typed, err := decode(known()[o.Kind](), o.Before)
		if err != nil {
			return fmt.Errorf("decode %s: %w", o.Name, err)
		}
		o.typed = typed
		w.keep(o)
		w.forget()
	}
	return nil
}

// exempt says that an object never reaches admission: by its namespace, or, of those that can be enrolled, because it carries no
// annotation of ours (webhook/hooks).
func (w *World) exempt(o *Object) bool {
	ns := o.Name.Namespace
	if ns == mesh.SystemNamespace || slices.Contains(w.options.Config.ExemptNamespaces, ns) || w.labels(ns)[mesh.LabelAdmission] == "disabled" {
		return true
	}
	if !isEnrollable(o.Kind) || o.typed.GetLabels()[mesh.LabelAppID] != "" && !o.IsGenerated() {
		return false // what carries our label was annotated before
	}
	for key := range o.typed.GetAnnotations() {
		if strings.HasPrefix(key, mesh.Prefix) {
			return false
		}
	}
	return true
}

func (w *World) labels(namespace string) map[string]string {
	if found := w.store.find(namespaceKind(), mesh.Name{Name: namespace}); found != nil {
		return found.GetLabels()
	}
	return nil
}

// enrol mutates the enrolled objects. Of those that claim the same, the one that mesh.Enrol lets stand came first.
func (w *World) enrol() error {
	objects := w.enrollable()
	denied := map[mesh.Object]bool{}
	for _, f := range mesh.Enrol(objects, w.options.Config).Findings {
		denied[unversioned(f.Object)] = denied[unversioned(f.Object)] || f.Severity == mesh.Deny
	}
	standing := standingOf(objects, denied)
	for _, o := range w.Objects {
		if !isEnrollable(o.Kind) || w.exempt(o) {
			continue
		}
		view := &mesh.View{Config: w.options.Config, Objects: standing[o.Name.Namespace]}
		result, err := mutate.Enrolment(mutate.Request{Kind: o.Kind.Kind, Object: o.Before}, view)
		if err != nil {
			return fmt.Errorf("mutate %s: %w", o.Name, err)
		}
		if mesh.Denied(result.Findings) {
			continue // validation says why
		}
		if err := w.patch(o, result.Patch); err != nil {
			return err
		}
	}
	return nil
}

// unversioned names an object whatever version its document says.
func unversioned(o mesh.Object) mesh.Object {
	o.APIVersion = ""
	return o
}

// enrollable are all objects that can be enrolled.
func (w *World) enrollable() mesh.Objects {
	var objects mesh.Objects
	for _, byNamespace := range w.store.objects {
		for _, list := range byNamespace {
			for _, object := range list {
				if object.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedByDaprise {
					continue
				}
				switch typed := object.(type) {
				case *corev1.Service:
					objects.Services = append(objects.Services, typed)
				case *appsv1.Deployment:
					objects.Deployments = append(objects.Deployments, typed)
				case *gatewayv1.Gateway:
					objects.Gateways = append(objects.Gateways, typed)
				}
			}
		}
	}
	return objects
}

// standingOf are the objects of each namespace but for those denied, which have not come to be enrolled.
func standingOf(objects mesh.Objects, denied map[mesh.Object]bool) map[string]mesh.Objects {
	standing := map[string]mesh.Objects{}
	for _, s := range objects.Services {
		if denied[mesh.Object{Kind: mesh.KindService, Namespace: s.Namespace, Name: s.Name}] {
			s = s.DeepCopy()
			s.Annotations = nil
		}
		of := standing[s.Namespace]
		of.Services = append(of.Services, s)
		standing[s.Namespace] = of
	}
	for _, d := range objects.Deployments {
		if !denied[mesh.Object{Kind: mesh.KindDeployment, Namespace: d.Namespace, Name: d.Name}] {
			of := standing[d.Namespace]
			of.Deployments = append(of.Deployments, d)
			standing[d.Namespace] = of
		}
	}
	for _, g := range objects.Gateways {
		if !denied[mesh.Object{Kind: mesh.KindGateway, Namespace: g.Namespace, Name: g.Name}] {
			of := standing[g.Namespace]
			of.Gateways = append(of.Gateways, g)
			standing[g.Namespace] = of
		}
	}
	return standing
}

// route mutates a route.
func (w *World) route(ctx context.Context, o *Object) error {
	world, err := w.about(ctx, o)
	if err != nil {
		return err
	}
	result, err := mutate.Route(mutate.Request{Kind: o.Kind.Kind, Object: o.Before}, world.View)
	if err != nil {
		return fmt.Errorf("mutate %s: %w", o.Name, err)
	}
	o.Findings = result.Findings
	if mesh.Denied(result.Findings) {
		return nil
	}
	return w.patch(o, result.Patch)
}

// patch changes an object in the store as the API server would.
func (w *World) patch(o *Object, operations []patches.Operation) error {
	if len(operations) == 0 {
		return nil
	}
	after, err := patched(o.Before, operations)
	if err != nil {
		return fmt.Errorf("patch %s: %w", o.Name, err)
	}
	typed, err := decode(known()[o.Kind](), after)
	if err != nil {
		return fmt.Errorf("decode mutated %s: %w", o.Name, err)
	}
	typed.SetNamespace(o.Name.Namespace)
	o.After, o.typed = after, typed
	w.keep(o)
	return nil
}

// patched is JSON after a patch.
func patched(object []byte, operations []patches.Operation) ([]byte, error) {
	data, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return nil, err
	}
	return patch.Apply(object)
}

// validate decides whether an object is admitted, and adds what there is to say.
func (w *World) validate(ctx context.Context, o *Object) error {
	if mesh.Denied(o.Findings) || !isEnrollable(o.Kind) && !isPolicyOrRoute(o.Kind) {
		w.settle(o, nil)
		return nil
	}
	world, err := w.about(ctx, o)
	if err != nil {
		return err
	}
	var findings []mesh.Finding
	switch {
	case isEnrollable(o.Kind):
		findings, err = validate.Enrolment(world, validate.EnrolmentWrite{Kind: o.Kind.Kind, Object: o.After})
	case isRoute(o.Kind):
		findings, err = validate.Route(world, validate.RouteWrite{Kind: o.Kind.Kind, Object: o.After})
	case matters(world, o):
		findings = validate.Policy(w.policyWrite(world, o))
	}
	if err != nil {
		return err
	}
	w.settle(o, validate.ApplyModes(world.View, findings))
	return nil
}

// matters says whether there can be anything to say about a policy: what a policy opens or stops is asked of companions that run, and
// whom it was meant for only where it is void.
func matters(world policy.World, o *Object) bool {
	p, ok := world.Set.Policy(policy.Ref{Kind: o.Kind.Kind, Namespace: o.Name.Namespace, Name: o.Name.Name})
	if !ok {
		return false
	}
	_, void := p.Void()
	return void ||
		slices.ContainsFunc(world.View.Apps, func(a mesh.App) bool { return a.Companion.Live }) ||
		slices.ContainsFunc(world.View.Ingresses, func(g mesh.Ingress) bool { return g.Companion.Live })
}

// policyWrite is the creation of a policy.
func (w *World) policyWrite(world policy.World, o *Object) validate.PolicyWrite {
	ref := policy.Ref{Kind: o.Kind.Kind, Namespace: o.Name.Namespace, Name: o.Name.Name}
	return validate.PolicyWrite{
		Object: o.Name, Operation: validate.Create, View: world.View, Before: world.Set.Without(ref), After: world.Set,
	}
}

// settle adds findings, each once, and gives the object its outcome.
func (w *World) settle(o *Object, findings []mesh.Finding) {
	for _, f := range findings {
		if !slices.ContainsFunc(o.Findings, func(other mesh.Finding) bool { return reflect.DeepEqual(f, other) }) {
			o.Findings = append(o.Findings, f)
		}
	}
	mesh.SortFindings(o.Findings)
	if o.Refused() {
		o.After = nil
	}
}

// need is what deciding about the object needs.
func (o *Object) need() mesh.Need {
	switch typed := o.typed.(type) {
	case *gatewayv1.HTTPRoute:
		return mesh.NeedOfHTTPRoute(typed)
	case *gatewayv1.GRPCRoute:
		return mesh.NeedOfGRPCRoute(typed)
	}
	if isEnrollable(o.Kind) {
		return mesh.NeedOfEnrolment(o.typed)
	}
	return mesh.Need{}
}

// withNamespace is an object with a namespace.
func withNamespace(object []byte, namespace string) ([]byte, error) {
	return patched(object, []patches.Operation{patches.NewOperation("add", "/metadata/namespace", namespace)})
}
