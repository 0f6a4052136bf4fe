// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/daprise/daprise/test/controlplane"
)

var shared *controlplane.ControlPlane

// childVariable makes the test binary a process that starts a control plane,
// prints its folder and waits to be killed.
const childVariable = "DAPRISE_TEST_KILLED_STARTER"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		waitToBeKilled()
	}
	options := controlplane.Options{AuditPolicy: controlplane.AuditEverything()}
	os.Exit(controlplane.Main(m, options, func(cp *controlplane.ControlPlane) { shared = cp }))
}

// client of the administrator.
func client(t *testing.T, cp *controlplane.ControlPlane) *kubernetes.Clientset {
	t.Helper()
	set, err := kubernetes.NewForConfig(cp.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// eventually polls until done holds, for a minute.
func eventually(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute; last error: %v", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// namespace makes a namespace for one test and deletes it with the test.
func namespace(t *testing.T, name string) string {
	t.Helper()
	namespaces := client(t, shared).CoreV1().Namespaces()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := namespaces.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := namespaces.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}
