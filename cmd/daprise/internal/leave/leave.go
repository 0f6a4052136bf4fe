// SPDX-License-Identifier: Apache-2.0

// Package leave takes a mesh apart: everything leaves, routes are given back, companions go, and then nothing calls daprise any more. What is
// done in between is done by daprise itself, so that no request is lost.
package leave

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/webhook/hooks"
)

// ErrLeft says that something of the mesh was still there when the time was over.
var ErrLeft = errors.New("not all of the mesh is gone in time")

// Mesh is a cluster whose mesh is taken apart.
type Mesh struct {
	Client client.Client
	Config mesh.Config
	// Tell is told each step.
	Tell func(format string, values ...any)
	// Poll is how often to look whether something is still there.
	Poll time.Duration
}

// Enrolled is one object that asks to be in the mesh.
type Enrolled struct {
	mesh.Object
	object client.Object
}

// Plan is what leaves, and what stands in its way.
type Plan struct {
	// Enrolled are Services, then Deployments, then Gateways: apps leave while their ways in still stand.
	Enrolled []Enrolled
	// Strict are those of their namespaces, and of the routes', that let nobody leave while routes lead through companions (DPR310), sorted.
	Strict []string
}

// Plan reads what is to be done.
func (m *Mesh) Plan(ctx context.Context) (Plan, error) {
	var p Plan
	for _, kind := range []struct {
		name string
		list client.ObjectList
	}{
		{mesh.KindService, &corev1.ServiceList{}},
		{mesh.KindDeployment, &appsv1.DeploymentList{}},
		{mesh.KindGateway, &gatewayv1.GatewayList{}},
	} {
		objects, err := live.List[client.Object](ctx, m.Client, kind.list)
		if err != nil {
			return p, err
		}
		for _, object := range objects {
			if object.GetAnnotations()[mesh.AnnotationEnabled] == "true" || object.GetLabels()[mesh.LabelAppID] != "" {
				p.Enrolled = append(p.Enrolled, Enrolled{Object: mesh.ObjectOf(object), object: object})
			}
		}
	}
	namespaces, err := live.List[*corev1.Namespace](ctx, m.Client, &corev1.NamespaceList{})
	if err != nil {
		return p, err
	}
	routes, err := m.rewritten(ctx)
	if err != nil {
		return p, err
	}
	concerned := map[string]bool{}
	for _, e := range p.Enrolled {
		concerned[e.Namespace] = true
	}
	for _, r := range routes {
		concerned[r.Namespace] = true
	}
	p.Strict = strictOf(namespaces, concerned, m.Config)
	return p, nil
}

// strictOf are those of the namespaces concerned that are in mode strict.
func strictOf(namespaces []*corev1.Namespace, concerned map[string]bool, config mesh.Config) []string {
	view := &mesh.View{Config: config, Namespaces: map[string]map[string]string{}}
	var strict []string
	for _, n := range namespaces {
		view.Namespaces[n.Name] = n.Labels
		if concerned[n.Name] && view.Mode(n.Name) == mesh.ModeStrict && n.DeletionTimestamp == nil {
			strict = append(strict, n.Name)
		}
	}
	slices.Sort(strict)
	return strict
}

// Leave does all of it. It may be called again after an error: it goes on where it is.
func (m *Mesh) Leave(ctx context.Context, p Plan) error {
	for _, namespace := range p.Strict {
		m.Tell("namespace %s: %s=%s, since %s lets nobody leave", namespace, mesh.LabelCoverage, mesh.ModeEnforce, mesh.ModeStrict)
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, mesh.LabelCoverage, mesh.ModeEnforce)
		if err := m.patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, patch); err != nil {
			return fmt.Errorf("label Namespace %s: %w", namespace, err)
		}
	}
	for _, e := range p.Enrolled {
		m.Tell("%s leaves", e.Object)
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null}}}`, mesh.AnnotationEnabled)
		if err := m.patch(ctx, e.object, patch); err != nil {
			return fmt.Errorf("un-enrol %s: %w", e.Object, err)
		}
	}
	if err := m.wait(ctx); err != nil {
		return err
	}
	return m.unhook(ctx)
}

// patch patches an object; one that is gone has left.
func (m *Mesh) patch(ctx context.Context, object client.Object, patch []byte) error {
	copied, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	return client.IgnoreNotFound(m.Client.Patch(ctx, copied, client.RawPatch(types.MergePatchType, patch)))
}

// wait waits until no route leads through a companion and no companion is left.
func (m *Mesh) wait(ctx context.Context) error {
	ticker := time.NewTicker(m.Poll)
	defer ticker.Stop()
	told := ""
	var known []string
	for {
		left, err := m.Left(ctx)
		if err == nil {
			if known = left; len(left) == 0 {
				return nil
			}
		}
		now := summary(left)
		if err != nil {
			// A cluster that does not answer for a moment may answer in the next.
			now = err.Error()
		}
		if now != told && ctx.Err() == nil {
			told = now
			m.Tell("waiting: %s", now)
		}
		select {
		case <-ctx.Done():
			// The time may be over in the middle of a look: what was there at the last whole one is what is told.
			return fmt.Errorf("%w: %s", ErrLeft, strings.Join(known, ", "))
		case <-ticker.C:
		}
	}
}

// summary tells what is left in a line.
func summary(left []string) string {
	const most = 3
	if len(left) <= most {
		return strings.Join(left, ", ") + " are still there"
	}
	return fmt.Sprintf("%s and %d more are still there", strings.Join(left[:most], ", "), len(left)-most)
}

// Left are the routes that still lead through companions, then the companions' objects that are still there.
func (m *Mesh) Left(ctx context.Context) ([]string, error) {
	var left []string
	routes, err := m.rewritten(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		left = append(left, r.String())
	}
	kinds := append(companion.Kinds(), schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"})
	for _, kind := range kinds {
		objects, err := m.metadata(ctx, kind, client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedByDaprise})
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			left = append(left, mesh.Object{Kind: kind.Kind, Namespace: o.Namespace, Name: o.Name}.String())
		}
	}
	return left, nil
}

// rewritten are the routes that lead through companions.
func (m *Mesh) rewritten(ctx context.Context) ([]mesh.Object, error) {
	var found []mesh.Object
	for _, kind := range []string{mesh.KindHTTPRoute, mesh.KindGRPCRoute} {
		routes, err := m.metadata(ctx, schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: kind})
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			if _, ok := r.Annotations[mesh.AnnotationOriginal]; ok {
				found = append(found, mesh.Object{Kind: kind, Namespace: r.Namespace, Name: r.Name})
			}
		}
	}
	return found, nil
}

func (m *Mesh) metadata(ctx context.Context, kind schema.GroupVersionKind, options ...client.ListOption) ([]*metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	return live.List[*metav1.PartialObjectMetadata](ctx, m.Client, list, options...)
}

// unhook deletes the webhook configurations: nothing calls daprise from then on. The policies of the API server on the companions' label and
// on daprise's own account stay until its manifests are deleted: as long as the account exists, they must hold.
func (m *Mesh) unhook(ctx context.Context) error {
	meta := metav1.ObjectMeta{Name: hooks.Name}
	for _, object := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta},
	} {
		err := m.Client.Delete(ctx, object)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the hooks: %w", err)
		}
	}
	m.Tell("the webhook configurations are deleted")
	return nil
}
