// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/mesh"
)

// drain are the Events recorded so far.
func drain(recorder *events.FakeRecorder) []string {
	var all []string
	for {
		select {
		case e := <-recorder.Events:
			all = append(all, e)
		default:
			return all
		}
	}
}

func reporting(t *testing.T, c client.Client) (*reports, *events.FakeRecorder) {
	t.Helper()
	recorder := events.NewFakeRecorder(100)
	r := newReports(c, door{live: c, kinds: kindsWatched()}, recorder)
	r.now = func() time.Time { return time.Unix(100, 0) }
	return r, recorder
}

func TestReportsWriteOnceAndTellOnce(t *testing.T) {
	writes := 0
	c := builder(t, admitted(service("default", "whoami"), "whoami")).WithStatusSubresource(&corev1.Service{}).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, obj runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
			writes++
			return c.SubResource(sub).Apply(ctx, obj, options...)
		},
	}).Build()
	r, recorder := reporting(t, c)
	ref, h := app().AppRef, holder{"Service", "default", "whoami"}
	held := []metav1.Condition{condition("Companion", "False", "Held", "open")}
	for range 3 {
		if _, err := r.set(t.Context(), ref, h, held); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 {
		t.Errorf("%d writes of one condition", writes)
	}
	if got := drain(recorder); len(got) != 1 || !strings.Contains(got[0], "Warning Held open") {
		t.Errorf("events: %q", got)
	}
	if _, err := r.set(t.Context(), ref, h, []metav1.Condition{condition("Companion", "False", "Held", "otherwise open")}); err != nil {
		t.Fatal(err)
	}
	if writes != 2 || len(drain(recorder)) != 0 {
		t.Errorf("%d writes; a new message is stored and is no transition", writes)
	}
	if _, err := r.set(t.Context(), ref, h, []metav1.Condition{condition("Companion", "True", "Ready", "")}); err != nil {
		t.Fatal(err)
	}
	if got := drain(recorder); len(got) != 1 || !strings.Contains(got[0], "Normal Ready") {
		t.Errorf("events: %q", got)
	}
}

func TestReportsDoNotTellAgainWhatAnotherControllerTookAway(t *testing.T) {
	c := builder(t, admitted(service("default", "whoami"), "whoami")).WithStatusSubresource(&corev1.Service{}).Build()
	r, recorder := reporting(t, c)
	ref, h := app().AppRef, holder{"Service", "default", "whoami"}
	held := []metav1.Condition{condition("Companion", "False", "Held", "open")}
	for range 3 {
		if _, err := r.set(t.Context(), ref, h, held); err != nil {
			t.Fatal(err)
		}
		stored := &corev1.Service{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "whoami"}, stored); err != nil {
			t.Fatal(err)
		}
		if len(stored.Status.Conditions) != 1 {
			t.Fatalf("%d conditions are stored, want 1", len(stored.Status.Conditions))
		}
		stored.Status.Conditions = nil
		if err := c.Status().Update(t.Context(), stored); err != nil {
			t.Fatal(err)
		}
	}
	if got := drain(recorder); len(got) != 1 {
		t.Errorf("events, want one: %q", got)
	}
}

func TestReportsClearOnlyWhatIsNoLongerEnrolled(t *testing.T) {
	left, moved := service("default", "left"), admitted(service("default", "moved"), "another-id")
	c := builder(t, left, moved).WithStatusSubresource(&corev1.Service{}).Build()
	r, _ := reporting(t, c)
	ref := app().AppRef
	holders := []holder{{"Service", "default", "left"}, {"Service", "default", "moved"}, {"Service", "default", "gone"}}
	for _, h := range holders[:2] {
		if _, err := r.set(t.Context(), ref, h, []metav1.Condition{condition("Companion", "True", "Ready", "")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.clear(t.Context(), ref, holders); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"left": 0, "moved": 1} {
		got := &corev1.Service{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, got); err != nil {
			t.Fatal(err)
		}
		if len(got.Status.Conditions) != want {
			t.Errorf("Service %s has %d conditions, want %d", name, len(got.Status.Conditions), want)
		}
	}
}

func TestIsOurs(t *testing.T) {
	owned := func(kind string) func(*metav1.ObjectMeta) {
		return func(m *metav1.ObjectMeta) {
			m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "x", Controller: new(true)}}
		}
	}
	tests := []struct {
		name  string
		tweak func(*metav1.ObjectMeta)
		want  bool
	}{
		{"ours", func(*metav1.ObjectMeta) {}, true},
		{"of a Service", owned("Service"), true},
		{"of a Gateway", owned("Gateway"), true},
		{"of somebody else's controller", owned("HelmRelease"), false},
		{"of another app ID", func(m *metav1.ObjectMeta) { m.Labels[mesh.LabelInstance] = "other" }, false},
		{"without our label", func(m *metav1.ObjectMeta) { delete(m.Labels, mesh.LabelManagedBy) }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &metav1.ObjectMeta{Labels: mesh.ObjectLabels("whoami", mesh.ComponentApp)}
			test.tweak(m)
			if got := isOurs(m, "whoami"); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// passing is a pass over objects that were annotated before, by an admission that labels some, refuses some and is away for others.
func passing(t *testing.T, answer func(name string) error) (*newcomers, *events.FakeRecorder, client.Client) {
	t.Helper()
	asking := func(ns, name string) *corev1.Service {
		s := service(ns, name)
		s.Annotations = map[string]string{mesh.AnnotationEnabled: "true"}
		return s
	}
	exempt := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "exempt", Labels: map[string]string{mesh.LabelAdmission: "disabled"}}}
	c := builder(t, asking("default", "a"), asking("exempt", "b"), asking("kube-system", "c"), service("default", "plain"), exempt).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
				if err := answer(obj.GetName()); err != nil {
					return err
				}
				label := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, mesh.LabelAppID, obj.GetName())
				return c.Patch(ctx, obj, client.RawPatch("application/merge-patch+json", label))
			},
		}).Build()
	recorder := events.NewFakeRecorder(10)
	config := mesh.DefaultConfig()
	return &newcomers{
		client: c, live: c, loader: NewLoader(config, c), exempt: exemptIn(config, mesh.SystemNamespace), events: recorder, log: logr.Discard(),
	}, recorder, c
}

func TestNewcomers(t *testing.T) {
	away := errors.New("away")
	tests := []struct {
		name    string
		answer  error
		left    int
		err     error
		label   string
		refused bool
	}{
		{name: "admitted", label: "a"},
		{name: "refused", answer: apierrors.NewForbidden(schema.GroupResource{}, "a", errors.New("no")), refused: true},
		{name: "admission is away", answer: away, err: away},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			n, recorder, c := passing(t, func(name string) error {
				asked = append(asked, name)
				return test.answer
			})
			left, err := n.pass(t.Context())
			if left != test.left || !errors.Is(err, test.err) {
				t.Errorf("left %d, error %v", left, err)
			}
			if diff := cmp.Diff([]string{"a"}, asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			got := &corev1.Service{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "a"}, got); err != nil {
				t.Fatal(err)
			}
			if got.Labels[mesh.LabelAppID] != test.label {
				t.Errorf("labels %v", got.Labels)
			}
			if told := len(drain(recorder)) > 0; told != test.refused {
				t.Errorf("told of a refusal: %v, want %v", told, test.refused)
			}
		})
	}
}

// fakeQueue collects what a controller would work on.
type fakeQueue[K comparable] struct {
	workqueue.TypedRateLimitingInterface[K]
	added []K
}

func (q *fakeQueue[K]) Add(key K) { q.added = append(q.added, key) }

// AddAfter adds at once.
func (q *fakeQueue[K]) AddAfter(key K, _ time.Duration) { q.Add(key) }

func TestTriggers(t *testing.T) {
	loader := NewLoader(mesh.DefaultConfig(), builder(t, objects()...).Build())
	companions, routes := &fakeQueue[mesh.AppRef]{}, &fakeQueue[routeKey]{}
	tr := &triggers{
		loader: loader, log: logr.Discard(), patience: time.Second,
		companions: &keys[mesh.AppRef]{queue: companions}, routes: &keys[routeKey]{queue: routes},
	}
	before := loader.recent.generation()
	gone := admitted(service("shop", "whoami"), "whoami")
	tr.hear(change{kind: kindService, old: gone})
	renamed := admitted(service("shop", "whoami"), "other")
	tr.hear(change{kind: kindService, old: gone, new: renamed})
	tr.hear(change{kind: kindHTTPRoute, new: routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "third"})})
	want := []mesh.AppRef{{Namespace: "shop", ID: "whoami"}, {Namespace: "shop", ID: "whoami"}, {Namespace: "shop", ID: "other"}, {Namespace: "shop", ID: "third"}}
	if diff := cmp.Diff(want, companions.added); diff != "" {
		t.Errorf("companions (-want +got):\n%s", diff)
	}
	if len(routes.added) != 1 || routes.added[0].Name != "route" {
		t.Errorf("routes: %v", routes.added)
	}
	if loader.recent.generation() != before+3 {
		t.Error("loads of before the changes would be used")
	}
	ours := service("shop", "whoami-dapr")
	ours.Labels = mesh.ObjectLabels("whoami", mesh.ComponentApp)
	companions.added = nil
	tr.hear(change{kind: ownedService, new: ours})
	if len(companions.added) != 1 || loader.recent.generation() != before+3 {
		t.Errorf("an object of ours: companions %v", companions.added)
	}
}
