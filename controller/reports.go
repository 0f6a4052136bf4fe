// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// action of every Event, as events.k8s.io asks for one.
const action = "Reconcile"

// maxNote is the longest note of an Event (k8s.io/kubernetes pkg/apis/core/validation/events.go).
const maxNote = 1024

// holder is the object whose status carries a companion's conditions: a Service or a Gateway. The zero holder is nobody.
type holder struct{ kind, namespace, name string }

// holderOf is an enrolled object that holds its own conditions; a Deployment has none of ours.
func holderOf(object mesh.Object) holder { return holder{object.Kind, object.Namespace, object.Name} }

// holderOfApp is the app's Service, also where a Deployment is enrolled.
func holderOfApp(app mesh.App) holder {
	return holder{string(kindService), app.Namespace, app.Service}
}

func holderOfClaim(object client.Object) holder {
	switch object.(type) {
	case *corev1.Service:
		return holder{string(kindService), object.GetNamespace(), object.GetName()}
	case *gatewayv1.Gateway:
		return holder{string(kindGateway), object.GetNamespace(), object.GetName()}
	default:
		return holder{string(kindDeployment), object.GetNamespace(), object.GetName()}
	}
}

// findingsOn are the denials about one object.
func findingsOn(findings []mesh.Finding, h holder) []mesh.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f mesh.Finding) bool {
		return f.Severity != mesh.Deny || holderOf(f.Object) != h
	})
}

// reports writes conditions, and an Event for each that changes its reason.
type reports struct {
	client client.StatusClient
	door   door
	events events.EventRecorder
	now    func() time.Time

	mu sync.Mutex
	// written is what was last written to a holder.
	written map[holder]written
	// of are the holders of each app ID that this process reported on.
	of map[mesh.AppRef][]holder
}

type written struct {
	// over is the version that was read before the write, and conditions what was written, for as long as the caches have not shown it.
	over       string
	conditions []metav1.Condition
	told       []outcome
}

func newReports(c client.StatusClient, d door, recorder events.EventRecorder) *reports {
	return &reports{client: c, door: d, events: recorder, now: time.Now, written: map[holder]written{}, of: map[mesh.AppRef][]holder{}}
}

// set brings a holder's conditions to those wanted, by server-side apply on the status, and only if something differs. It returns them
// as stored. A holder that is gone, or that holds none (a Deployment), is no error; what it is told goes into Events.
func (r *reports) set(ctx context.Context, ref mesh.AppRef, h holder, wanted []metav1.Condition) ([]metav1.Condition, error) {
	object, stored, err := r.read(ctx, h)
	if err != nil || object == nil {
		return wanted, err
	}
	r.remember(ref, h)
	conditions, same := updated(stored, wanted, metav1.NewTime(r.now().Truncate(time.Second)))
	if same {
		return conditions, nil
	}
	if h.kind != string(kindDeployment) {
		if err := r.write(ctx, h, conditions); err != nil {
			return conditions, err
		}
	}
	// Gateway implementations that replace all conditions take ours away again and again: what was told is not told for that.
	told := outcomesOf(stored)
	r.mu.Lock()
	if last, ok := r.written[h]; ok {
		told = last.told
	}
	r.written[h] = written{object.GetResourceVersion(), conditions, outcomesOf(conditions)}
	r.mu.Unlock()
	for _, c := range transitions(told, wanted) {
		r.tell(object, c)
	}
	return conditions, nil
}

// clear removes the conditions from holders that are no longer enrolled.
func (r *reports) clear(ctx context.Context, ref mesh.AppRef, holders []holder) error {
	for _, h := range holders {
		object, stored, err := r.read(ctx, h)
		if err != nil {
			return err
		}
		if object != nil && object.GetLabels()[mesh.LabelAppID] == "" && h.kind != string(kindDeployment) {
			if _, same := updated(stored, nil, metav1.Time{}); !same {
				if err := r.write(ctx, h, nil); err != nil {
					return err
				}
			}
		}
		r.mu.Lock()
		delete(r.written, h)
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, ref)
	return nil
}

// holders are those that this process reported on for an app ID, and those that its objects name as owner.
func (r *reports) holders(ref mesh.AppRef, ours []client.Object) []holder {
	r.mu.Lock()
	holders := slices.Clone(r.of[ref])
	r.mu.Unlock()
	for _, object := range ours {
		if owner := metav1.GetControllerOf(object); owner != nil {
			h := holder{owner.Kind, ref.Namespace, owner.Name}
			if !slices.Contains(holders, h) {
				holders = append(holders, h)
			}
		}
	}
	return holders
}

func (r *reports) remember(ref mesh.AppRef, h holder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.of[ref], h) {
		r.of[ref] = append(r.of[ref], h)
	}
}

// read is a holder and its conditions, or nil if it is gone.
func (r *reports) read(ctx context.Context, h holder) (client.Object, []metav1.Condition, error) {
	key := client.ObjectKey{Namespace: h.namespace, Name: h.name}
	var object client.Object
	var conditions []metav1.Condition
	switch kind(h.kind) {
	case kindService:
		service, err := get[*corev1.Service](ctx, r.door, kindService, key)
		if err != nil || service == nil {
			return nil, nil, err
		}
		object, conditions = service, service.Status.Conditions
	case kindGateway:
		gateway, err := get[*gatewayv1.Gateway](ctx, r.door, kindGateway, key)
		if err != nil || gateway == nil {
			return nil, nil, err
		}
		object, conditions = gateway, gateway.Status.Conditions
	case kindDeployment:
		deployment, err := get[client.Object](ctx, r.door, kindDeployment, key)
		if err != nil || deployment == nil {
			return nil, nil, err
		}
		object = deployment
	default:
		return nil, nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch last, ok := r.written[h]; {
	case !ok:
	case last.over == object.GetResourceVersion() || kind(h.kind) == kindDeployment:
		conditions = last.conditions
	case last.conditions != nil:
		r.written[h] = written{told: last.told}
	}
	return object, conditions, nil
}

// write applies the conditions to the status of a holder; without conditions it takes ours away.
func (r *reports) write(ctx context.Context, h holder, conditions []metav1.Condition) error {
	content := &unstructured.Unstructured{Object: map[string]any{}}
	content.SetGroupVersionKind(r.door.kinds[kind(h.kind)].gvk)
	content.SetNamespace(h.namespace)
	content.SetName(h.name)
	status := map[string]any{}
	if len(conditions) > 0 {
		list := make([]any, 0, len(conditions))
		for i := range conditions {
			one, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&conditions[i])
			if err != nil {
				return fmt.Errorf("convert a condition: %w", err)
			}
			list = append(list, one)
		}
		status["conditions"] = list
	}
	content.Object["status"] = status
	err := r.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(content), client.FieldOwner(mesh.FieldManager), client.ForceOwnership)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("apply conditions of %s %s/%s: %w", h.kind, h.namespace, h.name, err)
	}
	return nil
}

// tell records an Event.
func (r *reports) tell(object client.Object, c metav1.Condition) {
	level := corev1.EventTypeNormal
	if c.Status != metav1.ConditionTrue {
		level = corev1.EventTypeWarning
	}
	r.events.Eventf(object, nil, level, c.Reason, action, "%s", noteOf(c.Message))
}

// noteOf is a message at a length that Events take.
func noteOf(message string) string {
	if len(message) <= maxNote {
		return message
	}
	return strings.ToValidUTF8(message[:maxNote-3], "") + "..."
}
