// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	// DefaultMaxBodySize is the longest body of a request that companions take unless dapr.io/max-body-size says otherwise, in bytes (daprd's own
	// default).
	DefaultMaxBodySize = 4 << 20
	// DefaultIngressReadBuffer is the room for a request's headers at an ingress companion unless dapr.io/read-buffer-size says otherwise, in
	// bytes. Dapr's own of 4 KiB answers 431 to ordinary cookies.
	DefaultIngressReadBuffer = 32 << 10
)

// RequestLimits are the sizes over which companions refuse a request, in bytes.
type RequestLimits struct {
	// Body is the limit of the body: the lesser of the ingress companion's and the app companion's.
	Body int64
	// Headers is the limit of request line and headers together, at the ingress companion. Between companions headers travel over gRPC.
	Headers int64
}

// LimitsOf are the limits of requests that go through a Gateway's companion to an app (dapr/dapr, pkg/injector/annotations). A value
// that means nothing was refused at enrolment and counts as none.
func LimitsOf(ingress Ingress, app App) RequestLimits {
	return RequestLimits{
		Body:    min(maxBodySize(ingress.Dapr), maxBodySize(app.Dapr)),
		Headers: byteLimit(ingress.Dapr, limitKeys{"read-buffer-size", "http-read-buffer-size", 1 << 10}, DefaultIngressReadBuffer),
	}
}

func maxBodySize(dapr map[string]string) int64 {
	return byteLimit(dapr, limitKeys{"max-body-size", "http-max-request-size", 1 << 20}, DefaultMaxBodySize)
}

// limitKeys are the two keys of dapr.io that set one limit: a quantity, and the older, which the newer one outweighs, in units of so many
// bytes.
type limitKeys struct {
	quantity, older string
	unit            int64
}

func byteLimit(dapr map[string]string, keys limitKeys, otherwise int64) int64 {
	if value := dapr[DaprPrefix+keys.quantity]; value != "" {
		if q, err := resource.ParseQuantity(value); err == nil {
			return q.Value()
		}
	}
	if n, err := strconv.ParseInt(dapr[DaprPrefix+keys.older], 10, 32); err == nil {
		return n * keys.unit
	}
	return otherwise
}
