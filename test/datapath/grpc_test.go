// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	callsHost      = "calls.example.com"
	plainCallsHost = "plain-calls.example.com"
	callsService   = "/daprise.test.Calls/"
	callsRoutes    = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls-plain-SUFFIX, namespace: default}
spec:
  parentRefs: [{name: GATEWAY}]
  hostnames: [plain-calls.example.com]
  rules: [{matches: [{method: {service: daprise.test.Calls}}], backendRefs: [{name: calls-plain, port: 9090}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls-SUFFIX, namespace: default}
spec:
  parentRefs: [{name: GATEWAY}]
  hostnames: [calls.example.com]
  rules: [{matches: [{method: {service: daprise.test.Calls}}], backendRefs: [{name: calls, port: 9090}]}]
`
)

// called is the outcome of a call.
type called struct {
	Code    codes.Code
	Message string
	Replies []string
	// Before and After are metadata by which the app can be told from others.
	Before, After []string
	// metadata is what the app got.
	metadata metadata.MD
	method   string
	// first is how long the first reply took, all how long it took until the end.
	first, all time.Duration
}

// caller calls one host at a gateway.
type caller struct{ conn *grpc.ClientConn }

func callerOf(t *testing.T, p played, host string) caller {
	t.Helper()
	address, err := p.address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialCalls(address, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return caller{conn}
}

func dialCalls(address, host string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(host))
}

// callsAnswer says whether a number of calls of one host all succeed, called by the companion that is given.
func callsAnswer(ctx context.Context, address, host, by string) error {
	conn, err := dialCalls(address, host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for range 10 {
		got := caller{conn}.call(ctx, "Tell", "x")
		if got.Code != codes.OK || strings.Join(got.metadata["dapr-caller-app-id"], " ") != by {
			return fmt.Errorf("%s: %s %s by way of %v", host, got.Code, got.Message, got.metadata["dapr-caller-app-id"])
		}
	}
	return nil
}

// call sends messages and takes all replies. As with send, it tries again where a gateway made of Go's ReverseProxy cut the answer, and
// counts that: an app may answer before the proxy has seen the end of the request.
func (c caller) call(ctx context.Context, method string, messages ...string) called {
	for range 2 {
		got := c.callOnce(ctx, method, messages...)
		if got.Code != codes.Internal || got.Message != "server closed the stream without sending trailers" {
			return got
		}
		cutByGateway.Add(1)
	}
	return c.callOnce(ctx, method, messages...)
}

// callOnce makes one call. One stream will do for every kind of call.
func (c caller) callOnce(ctx context.Context, method string, messages ...string) called {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := time.Now()
	var got called
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, callsService+method)
	if err != nil {
		return called{Code: status.Code(err), Message: status.Convert(err).Message()}
	}
	for _, message := range messages {
		if err := stream.SendMsg(wrapperspb.String(message)); err != nil {
			break // the reply says why
		}
	}
	_ = stream.CloseSend()
	for {
		var reply wrapperspb.StringValue
		err = stream.RecvMsg(&reply)
		got.all = time.Since(began)
		if err != nil {
			break
		}
		if len(got.Replies) == 0 {
			got.first = got.all
		}
		got.take(reply.GetValue())
	}
	if !errors.Is(err, io.EOF) {
		got.Code, got.Message = status.Code(err), status.Convert(err).Message()
	}
	header, _ := stream.Header()
	got.Before, got.After = header["x-before"], stream.Trailer()["x-after"]
	return got
}

// take keeps the metadata of a reply apart, which differ on the way.
func (c *called) take(reply string) {
	var s struct {
		Method, Message string
		Metadata        metadata.MD
	}
	if strings.HasPrefix(reply, "{") && json.Unmarshal([]byte(reply), &s) == nil {
		c.metadata, c.method, reply = s.Metadata, s.Method, s.Message
	}
	c.Replies = append(c.Replies, reply)
}

// comparable tells the outcome without times and metadata.
func (c called) comparable() called {
	return called{Code: c.Code, Message: c.Message, Replies: c.Replies, Before: c.Before, After: c.After, method: c.method}
}

// Calls through GRPCRoutes get the same replies as without the mesh, on every gateway, and the app is told who calls.
func TestGRPC(t *testing.T) {
	models(t)
	for _, p := range gateways() {
		t.Run(p.name, func(t *testing.T) {
			plain, mesh := callerOf(t, p, plainCallsHost), callerOf(t, p, callsHost)
			for _, test := range []struct {
				name, method string
				messages     []string
				want         called
			}{
				{name: "unary", method: "Tell", messages: []string{"hello"}, want: called{
					Replies: []string{"hello"}, Before: []string{"1", "2"}, After: []string{"3"}, method: callsService + "Tell",
				}},
				{name: "an error", method: "Fail", messages: []string{""}, want: called{Code: codes.NotFound, Message: "there is none: 100 %"}},
				{name: "no such method", method: "None", messages: []string{""}, want: called{
					Code: codes.Unimplemented, Message: "unknown method None for service daprise.test.Calls",
				}},
				{name: "server streaming", method: "Stream", messages: []string{"a"}, want: called{
					Replies: []string{"a", "a", "a", "a"}, After: []string{"4"}, method: callsService + "Stream",
				}},
				{name: "both ways", method: "Repeat", messages: []string{"a", "b", "c"}, want: called{Replies: []string{"a", "b", "c"}}},
				{name: "a large message", method: "Repeat", messages: []string{strings.Repeat("x", 1<<20)}, want: called{Replies: []string{strings.Repeat("x", 1<<20)}}},
			} {
				t.Run(test.name, func(t *testing.T) {
					for way, c := range map[string]caller{"past the mesh": plain, "through it": mesh} {
						got := c.call(t.Context(), test.method, test.messages...)
						if diff := cmp.Diff(test.want, got.comparable(), cmp.AllowUnexported(called{})); diff != "" {
							t.Errorf("%s: -want +got:\n%s", way, diff)
						}
						if test.method == "Stream" && got.all-got.first < 300*time.Millisecond {
							t.Errorf("%s: the first reply was held back: %s of %s", way, got.first, got.all)
						}
					}
				})
			}
		})
	}
}

// A client of a GRPCRoute can choose neither target nor caller.
func TestGRPCMetadataOfClientsIsIgnored(t *testing.T) {
	models(t)
	for _, p := range gateways() {
		t.Run(p.name, func(t *testing.T) {
			mesh := callerOf(t, p, callsHost)
			for _, pair := range [][2]string{
				{"dapr-app-id", "echo.default"}, {"dapr-app-id", p.ingress}, {"dapr-callee-app-id", "echo"},
				{"dapr-caller-app-id", "admin"}, {"dapr-caller-namespace", "kube-system"}, {"dapr-api-token", "x"},
			} {
				t.Run(strings.Join(pair[:], " "), func(t *testing.T) {
					got := mesh.call(metadata.AppendToOutgoingContext(t.Context(), pair[0], pair[1], "x-own", "1"), "Tell", "x")
					if got.Code != codes.OK {
						t.Fatalf("%s: %s", got.Code, got.Message)
					}
					for name, want := range map[string][]string{
						"dapr-caller-app-id": {p.ingress}, "dapr-callee-app-id": {"calls"}, "x-own": {"1"}, "dapr-api-token": nil,
					} {
						if values := got.metadata[name]; !slices.Equal(values, want) {
							t.Errorf("%s: the app got %q, want %q", name, values, want)
						}
					}
				})
			}
		})
	}
}
