// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	strictjson "sigs.k8s.io/json"
)

// ErrNotEnrollable marks a kind other than Service, Deployment and Gateway.
var ErrNotEnrollable = errors.New("not a kind that can be enrolled")

// Decode reads the JSON of a Service, Deployment or Gateway for Consider. Of a Gateway it reads the metadata alone, which is all that an
// enrolment asks of it: a Gateway is mutated before its schema is checked, and that check has the better words for what is wrong with
// its spec. An error wraps ErrNotEnrollable or says why the JSON does not fit its kind.
func Decode(kind string, data []byte) (metav1.Object, error) {
	var object metav1.Object
	var into any
	switch kind {
	case KindService:
		service := &corev1.Service{}
		object, into = service, service
	case KindDeployment:
		deployment := &appsv1.Deployment{}
		object, into = deployment, deployment
	case KindGateway:
		gateway := &gatewayv1.Gateway{}
		object, into = gateway, &struct {
			Metadata *metav1.ObjectMeta `json:"metadata"`
		}{&gateway.ObjectMeta}
	default:
		return nil, fmt.Errorf("%w: %q", ErrNotEnrollable, kind)
	}
	if err := strictjson.UnmarshalCaseSensitivePreserveInts(data, into); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return object, nil
}
