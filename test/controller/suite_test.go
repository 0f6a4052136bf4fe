// SPDX-License-Identifier: Apache-2.0

// Package controller_test holds the controllers against a real API server, without admission: each test writes the one label that
// admission would write.
package controller_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// userAgent tells the writes of the controllers under test apart in the audit log.
const userAgent = "daprise-controllers-under-test"

// sweep of the controllers that a test starts by sweeping. The shared ones never sweep, so that what a test waits for must have been
// triggered.
const (
	sweep = time.Second
	never = 24 * time.Hour
)

// Limits of clients, as cmd/daprise-webhook sets them.
const (
	requestsPerSecond = 100
	requestsAtOnce    = 200
)

var shared *cluster.Cluster

// asked are the requests of the shared controllers.
var asked = newTally()

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{NoDaprise: true, ControlPlane: controlplane.Options{
		AuditPolicy: controlplane.AuditEverything(), Log: os.Stderr,
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	stopped, err := startControllers(ctx, asked.on(c.AdminConfig()), never)
	if err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, c.Stop()))
		return 1
	}
	code := m.Run()
	cancel()
	if err := errors.Join(<-stopped, c.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// sweeping runs another manager with the controllers until the test ends: one that sweeps, as in production.
func sweeping(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stopped, err := startControllers(ctx, shared.AdminConfig(), sweep)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// startControllers runs a manager with the controllers until ctx is done; then the channel tells how it ended.
func startControllers(ctx context.Context, api *rest.Config, interval time.Duration) (<-chan error, error) {
	config := mesh.DefaultConfig()
	api.UserAgent, api.QPS, api.Burst = userAgent, requestsPerSecond, requestsAtOnce
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme: scheme, Cache: controller.CacheOptions(config), Logger: logr.Discard(),
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return nil, err
	}
	loader, err := controller.Setup(mgr, controller.Options{Config: config, Sweep: interval})
	if err != nil {
		return nil, err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	for loader.ReadyCheck(nil) != nil {
		select {
		case err := <-stopped:
			return nil, fmt.Errorf("the manager ended: %w", err)
		case <-time.After(cluster.Poll):
		}
	}
	return stopped, nil
}

// namespace makes a namespace with labels and deletes it after the test.
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-", Labels: labels}}
	create(t, ns)
	t.Cleanup(func() {
		if err := shared.Client.Delete(context.Background(), ns); err != nil {
			t.Errorf("delete namespace %s: %v", ns.Name, err)
		}
	})
	return ns.Name
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := shared.Client.Create(t.Context(), object); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// enrolled is a Service as it is stored after admission of its enrolment.
func enrolled(ns, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: name,
			Labels:      map[string]string{mesh.LabelAppID: name},
			Annotations: map[string]string{mesh.AnnotationEnabled: "true"},
		},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
}

// unenrol takes the annotation and the label away, as admission leaves it.
func unenrol(t *testing.T, ns, name string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null},"labels":{%q:null}}}`, mesh.AnnotationEnabled, mesh.LabelAppID)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	if err := shared.Client.Patch(t.Context(), service, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatalf("un-enrol Service %s: %v", name, err)
	}
}

// hasReason waits for a condition of a Service to have a reason.
func hasReason(t *testing.T, ns, service, kind, reason string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		s := &corev1.Service{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: service}, s); err != nil {
			return err
		}
		return reasonIs(s.Status.Conditions, kind, reason)
	})
}

func reasonIs(conditions []metav1.Condition, kind, reason string) error {
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil || c.Reason != reason {
		return fmt.Errorf("condition %s is %+v, want reason %s", kind, c, reason)
	}
	return nil
}

func exists(ctx context.Context, ns, name string, object client.Object) (bool, error) {
	err := shared.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// made are the objects of a namespace that carry our managed-by label, as "Kind name", sorted.
func made(ctx context.Context, ns string) ([]string, error) {
	var names []string
	for _, gvk := range ownedKinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := shared.Client.List(ctx, list, client.InNamespace(ns), client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedByDaprise})
		if err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			names = append(names, gvk.Kind+" "+item.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func deployment(ns, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
}
