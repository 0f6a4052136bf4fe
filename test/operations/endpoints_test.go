// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/controlplane/parts"
)

// byEndpoints says whether the API server resolves Services by Endpoints, as older ones do, and not by EndpointSlices. Then the Service of the tests has no
// selector, so that kube-controller-manager, which sees no Pod of it running, leaves its Endpoints to them.
func byEndpoints() bool {
	release, err := parts.ChosenRelease()
	return err == nil && release == parts.Oldest
}

// publishEndpoints adds the replica to the Service's Endpoints, or takes it away: each has a subset of its own, since each has a port of its own.
func (r *replica) publishEndpoints(ip string, ready bool) error {
	ctx := context.Background()
	key := client.ObjectKey{Namespace: system, Name: account}
	return retry.OnError(retry.DefaultBackoff, raced, func() error {
		endpoints := &corev1.Endpoints{} //nolint:staticcheck // what older API servers resolve Services by
		err := shared.Client.Get(ctx, key, endpoints)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		endpoints.Subsets = slices.DeleteFunc(endpoints.Subsets, func(s corev1.EndpointSubset) bool { //nolint:staticcheck // the same
			return s.Ports[0].Port == int32(r.webhook)
		})
		if ready {
			endpoints.Subsets = append(endpoints.Subsets, corev1.EndpointSubset{ //nolint:staticcheck // the same
				Addresses: []corev1.EndpointAddress{{IP: ip}},                                                             //nolint:staticcheck // the same
				Ports:     []corev1.EndpointPort{{Name: "webhook", Port: int32(r.webhook), Protocol: corev1.ProtocolTCP}}, //nolint:staticcheck // the same
			})
		}
		if err != nil {
			endpoints.ObjectMeta = metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
			return shared.Client.Create(ctx, endpoints)
		}
		return shared.Client.Update(ctx, endpoints)
	})
}

// raced says that another replica wrote in between.
func raced(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
