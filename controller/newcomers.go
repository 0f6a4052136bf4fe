// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// The pass over objects that were annotated while no admission of ours ran: at the start of a leader, again soon while something is
// left, and rarely otherwise.
const (
	newcomersSoon   = 10 * time.Second
	newcomersRarely = 10 * time.Minute
)

// newcomers finds objects that are annotated and carry no label of ours: they were written before daprise was installed, or while it was
// away. The caches do not see them. It has them admitted by a patch that changes nothing.
type newcomers struct {
	client client.Client
	live   client.Reader
	loader *Loader
	exempt func(view *mesh.View, namespace string) bool
	events events.EventRecorder
	log    logr.Logger
}

// NeedLeaderElection says that one replica is enough.
func (n *newcomers) NeedLeaderElection() bool { return true }

// Start passes until the context is done.
func (n *newcomers) Start(ctx context.Context) error {
	for {
		wait := newcomersRarely
		if left, err := n.pass(ctx); err != nil {
			n.log.Error(err, "look for objects that were annotated before")
			wait = newcomersSoon
		} else if left > 0 {
			wait = newcomersSoon
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// pass lists page by page, metadata only, and says how many objects could not be admitted though they were not refused.
func (n *newcomers) pass(ctx context.Context) (left int, err error) {
	var errs []error
	for _, k := range []kind{kindService, kindDeployment, kindGateway} {
		failed, err := n.passKind(ctx, n.loader.door.kinds[k].gvk)
		left += failed
		if err != nil && !isMissingKind(err) {
			errs = append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}

func (n *newcomers) passKind(ctx context.Context, gvk schema.GroupVersionKind) (left int, err error) {
	unlabelled := labels.NewSelector().Add(requirement(mesh.LabelAppID, selection.DoesNotExist))
	token := ""
	for {
		page := &metav1.PartialObjectMetadataList{}
		listGVK := gvk
		listGVK.Kind += "List"
		page.SetGroupVersionKind(listGVK)
		err := n.live.List(ctx, page, client.MatchingLabelsSelector{Selector: unlabelled}, client.Limit(pageSize), client.Continue(token))
		if err != nil {
			return left, fmt.Errorf("list %s: %w", gvk.Kind, err)
		}
		for i := range page.Items {
			if !isNewcomer(&page.Items[i]) {
				continue
			}
			done, err := n.admit(ctx, gvk, &page.Items[i])
			if err != nil {
				return left, err
			}
			if !done {
				left++
			}
		}
		if token = page.GetContinue(); token == "" {
			return left, nil
		}
	}
}

// isNewcomer says that an object asks to be enrolled and was not.
func isNewcomer(object metav1.Object) bool {
	return object.GetAnnotations()[mesh.AnnotationEnabled] == "true" && object.GetLabels()[mesh.LabelAppID] == "" && object.GetDeletionTimestamp() == nil
}

// admit patches nothing but the version, which makes admission run. It says whether the object is done with: admitted, refused, exempt
// or gone.
func (n *newcomers) admit(ctx context.Context, gvk schema.GroupVersionKind, object *metav1.PartialObjectMetadata) (done bool, err error) {
	world, err := n.loader.Load(ctx, mesh.Need{Namespaces: []string{object.Namespace}})
	if err != nil {
		return false, err
	}
	if n.exempt(world.View, object.Namespace) {
		return true, nil
	}
	name := mesh.Object{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: object.Namespace, Name: object.Name}
	result := untyped(gvk)
	result.SetNamespace(object.Namespace)
	result.SetName(object.Name)
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q}}`, object.ResourceVersion)
	err = n.client.Patch(ctx, result, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(mesh.FieldManager))
	switch {
	case err == nil && result.GetLabels()[mesh.LabelAppID] != "":
		n.log.Info("enrolled an object that was annotated before", "object", name.String())
		return true, nil
	case err == nil:
		return false, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		result.SetUID(object.UID)
		n.events.Eventf(result, nil, corev1.EventTypeWarning, reasonRefused, action, "%s", noteOf(err.Error()))
		return true, nil
	case apierrors.IsNotFound(err):
		return true, nil
	default:
		return false, fmt.Errorf("have %s admitted: %w", name, err)
	}
}
