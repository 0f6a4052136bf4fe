// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// started serves on a free port of the loopback until the test ends, and checks that it then stops without an error.
func started(t *testing.T, name string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, listener, whoami{name: name}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func answer(t *testing.T, client *http.Client, request *http.Request) string {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %s", response.Status)
	}
	return string(body)
}

func TestAnswer(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var clear http.Protocols
	clear.SetUnencryptedHTTP2(true)
	tests := []struct {
		name, whoami, path string
		transport          *http.Transport
		want               func(remote, host string) string
	}{
		{
			name: "a request", whoami: "v1", path: "/a%2Fb//c/?q=1%2F2", transport: &http.Transport{DisableCompression: true},
			want: func(remote, address string) string {
				return "Name: v1\nHostname: " + host + "\nRemoteAddr: " + remote + "\nGET /a%2Fb//c/?q=1%2F2 HTTP/1.1\nHost: " + address +
					"\nDapr-Caller-App-Id: ingress\nUser-Agent: test\nX-Twice: one\nX-Twice: two\n"
			},
		},
		{
			name: "the host's name where none is set", path: "/", transport: &http.Transport{DisableCompression: true},
			want: func(remote, address string) string {
				return "Name: " + host + "\nHostname: " + host + "\nRemoteAddr: " + remote + "\nGET / HTTP/1.1\nHost: " + address +
					"\nDapr-Caller-App-Id: ingress\nUser-Agent: test\nX-Twice: one\nX-Twice: two\n"
			},
		},
		{
			name: "HTTP/2 in clear text", whoami: "v2", path: "/", transport: &http.Transport{DisableCompression: true, Protocols: &clear},
			want: func(remote, address string) string {
				return "Name: v2\nHostname: " + host + "\nRemoteAddr: " + remote + "\nGET / HTTP/2.0\nHost: " + address +
					"\nDapr-Caller-App-Id: ingress\nUser-Agent: test\nX-Twice: one\nX-Twice: two\n"
			},
		},
		{name: "health", path: "/health", transport: &http.Transport{}, want: func(string, string) string { return "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := started(t, tt.whoami)
			var remote string
			tt.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				if err == nil {
					remote = conn.LocalAddr().String()
				}
				return conn, err
			}
			t.Cleanup(tt.transport.CloseIdleConnections)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{"User-Agent": {"test"}, "X-Twice": {"one", "two"}, "Dapr-Caller-App-Id": {"ingress"}}
			got := answer(t, &http.Client{Transport: tt.transport}, request)
			if diff := cmp.Diff(tt.want(remote, address[len("http://"):]), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
