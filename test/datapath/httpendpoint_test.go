// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"fmt"
	"testing"
)

// endpoints are two of Dapr's HTTPEndpoints in the Gateway's namespace: one of a
// name of its own, and one that has an app's.
const endpoints = `{apiVersion: dapr.io/v1alpha1, kind: HTTPEndpoint, metadata: {name: outside, namespace: default},
spec: {baseUrl: "http://echo-plain.default.svc.cluster.local"}}
---
{apiVersion: dapr.io/v1alpha1, kind: HTTPEndpoint, metadata: {name: whoami, namespace: default},
spec: {baseUrl: "http://echo-plain.default.svc.cluster.local"}}`

// What remains: a companion calls a URL in an app's place where an HTTPEndpoint of
// its namespace has the app's ID, and a client can aim a rule in prefix form at any
// HTTPEndpoint (dapr pkg/messaging/direct_messaging.go). Neither mTLS nor the
// callers of an app have a part in that, so whoever may write HTTPEndpoints in a
// Gateway's namespace decides where its companion's requests go (docs/security.md).
func TestWhoeverWritesHTTPEndpointsDecidesWhereRequestsGo(t *testing.T) {
	attacked(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	if err := applied(ctx, []byte(endpoints)); err != nil {
		t.Fatal(err)
	}
	kill(ctx, t, oneReady(ctx, t, "ingress")) // daprd reads them when it starts
	defer func() {
		kubectl(ctx, t, "delete", "httpendpoint", "outside", "whoami")
		kill(ctx, t, oneReady(ctx, t, "ingress"))
		eventually(ctx, t, "the way leads to the app again", answersThroughCompanions)
	}()
	for _, test := range []struct {
		name string
		request
	}{
		{name: "a route's own app", request: request{path: "/x"}},
		{name: "aimed by a client", request: request{path: "/x", headers: [][2]string{basic("dapr-app-id", "outside")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eventually(ctx, t, "the HTTPEndpoint is called", func(ctx context.Context) error {
				got, err := reach(ctx, test.request)
				if err == nil && (got.app != "echo" || got.seen.Header.Get(calleeHeader) != "") {
					err = fmt.Errorf("reached %q by %q: %d %s", got.app, got.seen.Header.Get(calleeHeader), got.status, got.body)
				}
				return err
			})
		})
	}
}
