// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A client cannot choose another target or pretend to be another caller by the
// headers that Dapr listens to.
func TestHeadersOfClientsAreIgnored(t *testing.T) {
	theWorld(t)
	for _, test := range []struct {
		name   string
		header [2]string
	}{
		{name: "another target", header: [2]string{"dapr-app-id", "other.default"}},
		{name: "the ingress itself", header: [2]string{"dapr-app-id", "ingress"}},
		{name: "another caller", header: [2]string{"Dapr-Caller-App-Id", "admin"}},
		{name: "another caller's namespace", header: [2]string{"dapr-caller-namespace", "kube-system"}},
		{name: "another callee", header: [2]string{"dapr-callee-app-id", "admin"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := mustAsk(t, request{path: "/x", headers: [][2]string{test.header}})
			if a.status != 200 || a.received != "GET /x HTTP/1.1" {
				t.Fatalf("want the app's answer, got %s", a)
			}
			if diff := cmp.Diff([]string{"ingress"}, a.header.Values(callerHeader)); diff != "" {
				t.Errorf("caller: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff([]string{"whoami"}, a.header.Values(calleeHeader)); diff != "" {
				t.Errorf("callee: -want +got:\n%s", diff)
			}
		})
	}
}

// Through the gateway, paths of Dapr's own API are paths of the app, however
// they are spelled, or are refused.
func TestOwnAPIIsOutOfReachThroughTheGateway(t *testing.T) {
	before := restarts(t)
	const up = "/../../../../../.."
	for _, r := range []request{
		{path: "/v1.0/metadata"},
		{path: "/v1.0/shutdown", method: http.MethodPost, headers: [][2]string{{"Content-Length", "0"}}},
		{path: "/v1.0/secrets/kubernetes/x"},
		{path: "/v1.0/state/store/x"},
		{path: "/v1.0/invoke/other.default/method/x"},
		{path: up + "/v1.0/metadata"},
		{path: strings.ReplaceAll(up, "..", "%2e%2e") + "/v1.0/metadata"},
		{path: strings.ReplaceAll(up, "/", "%2f") + "%2fv1.0%2fmetadata"},
		{path: "/" + strings.ReplaceAll(up, "..", ".%2e") + "/v1.0/metadata"},
		{path: strings.ReplaceAll(up, "/", "%5c") + "%5cv1.0%5cmetadata"},
		{path: "//v1.0/metadata"},
	} {
		t.Run(r.path, func(t *testing.T) {
			a, err := ask(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if a.app == "" && a.status < 400 {
				t.Errorf("somebody else than the app answered: %s", a)
			}
			if strings.Contains(a.body, "runtimeVersion") {
				t.Errorf("the companion told of itself: %s", a)
			}
		})
	}
	address, err := gateway(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range ownMethods() {
		t.Run("gRPC "+method, func(t *testing.T) {
			if err := callDapr(t, address, method); err == nil {
				t.Error("somebody answers")
			}
		})
	}
	if diff := cmp.Diff(before, restarts(t)); diff != "" {
		t.Errorf("restarts of companions: -before +after:\n%s", diff)
	}
}

// restarts counts the restarts of each ready companion by the Pod's name.
func restarts(t *testing.T) map[string]int32 {
	t.Helper()
	pods, err := theWorld(t).ReadyPods(t.Context(), namespace, client.MatchingLabels{"app.kubernetes.io/managed-by": "daprise"})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int32{}
	for _, pod := range pods {
		counted[pod.Name] = pod.Status.ContainerStatuses[0].RestartCount
	}
	return counted
}

// Even who reaches the ingress companion itself finds nothing there but
// service invocation.
func TestIngressCompanionsOwnAPIIsClosed(t *testing.T) {
	w := theWorld(t)
	pods, err := w.ReadyPods(t.Context(), namespace, client.MatchingLabels{"daprise.dev/companion": "ingress"})
	if err != nil || len(pods) == 0 {
		t.Fatalf("no ready ingress companion: %v", err)
	}
	host := pods[0].Status.PodIP
	for _, r := range []request{
		{path: "/v1.0/metadata"},
		{path: "/v1.0/shutdown", method: http.MethodPost, headers: [][2]string{{"Content-Length", "0"}}},
		{path: "/v1.0/secrets/kubernetes/x"},
		{path: "/v1.0/state/store/x"},
		{path: "/v1.0-alpha1/shutdown", method: http.MethodPost, headers: [][2]string{{"Content-Length", "0"}}},
	} {
		t.Run(r.path, func(t *testing.T) {
			a, err := askAt(t.Context(), net.JoinHostPort(host, "3500"), r)
			if err != nil {
				t.Fatal(err)
			}
			if a.status < 400 {
				t.Errorf("want a refusal, got %s", a)
			}
		})
	}
	for _, method := range ownMethods() {
		t.Run("gRPC "+method, func(t *testing.T) {
			err := callDapr(t, net.JoinHostPort(host, "50001"), method)
			if code := status.Code(err); code != codes.PermissionDenied && code != codes.Unimplemented {
				t.Errorf("want PermissionDenied or Unimplemented, got %v", err)
			}
		})
	}
}

func ownMethods() []string { return []string{"GetMetadata", "Shutdown", "GetSecret", "GetState"} }

// callDapr calls a method of Dapr's own gRPC API.
func callDapr(t *testing.T, address, method string) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("whoami.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return conn.Invoke(ctx, "/dapr.proto.runtime.v1.Dapr/"+method, &emptypb.Empty{}, &emptypb.Empty{})
}
