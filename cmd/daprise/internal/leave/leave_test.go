// SPDX-License-Identifier: Apache-2.0

package leave

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
)

// TestTimeIsOverInTheMiddleOfALook: what is told to be left is what the last whole look saw.
func TestTimeIsOverInTheMiddleOfALook(t *testing.T) {
	scheme, err := controller.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	stays := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "whoami-dapr", Labels: map[string]string{mesh.LabelManagedBy: mesh.ManagedByDaprise, mesh.LabelInstance: "whoami"},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stays).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, ok := list.(interface{ GetContinue() string }); ok && looks > 0 {
				cancel()
				return ctx.Err()
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	m := &Mesh{Client: api, Config: mesh.DefaultConfig(), Poll: time.Millisecond, Tell: func(string, ...any) { looks++ }}
	err = m.wait(ctx)
	if !errors.Is(err, ErrLeft) || err.Error() != "not all of the mesh is gone in time: Service default/whoami-dapr" {
		t.Errorf("got %v", err)
	}
}
