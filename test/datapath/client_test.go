// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	callerHeader = "Dapr-Caller-App-Id"
	calleeHeader = "Dapr-Callee-App-Id"
)

// request is one to the gateway, sent byte by byte as it is written here: a
// client library would clean its path.
type request struct {
	method  string
	path    string
	headers [][2]string
}

// answer is a response; what the app says that it received is taken apart.
type answer struct {
	status   int
	body     string
	app      string // the app's name; empty if the app did not answer
	received string // the request line that the app got
	header   http.Header
}

func (a answer) String() string { return fmt.Sprintf("status %d:\n%s", a.status, a.body) }

// ask sends a request to the gateway.
func ask(ctx context.Context, r request) (answer, error) {
	address, err := shared.ServiceAddress(ctx, client.ObjectKey{Namespace: "gateway-system", Name: "traefik"})
	if err != nil {
		return answer{}, err
	}
	return askAt(ctx, net.JoinHostPort(address, "80"), r)
}

func askAt(ctx context.Context, address string, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return answer{}, err
	}
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	text := method + " " + r.path + " HTTP/1.1\r\nHost: whoami.example.com\r\nConnection: close\r\n"
	for _, header := range r.headers {
		text += header[0] + ": " + header[1] + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return read(response.StatusCode, string(body)), nil
}

func read(status int, body string) answer {
	a := answer{status: status, body: body, header: http.Header{}}
	name, isApp := strings.CutPrefix(body, "Name: ")
	if !isApp {
		return a
	}
	a.app, _, _ = strings.Cut(name, "\n")
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if a.received == "" {
			if strings.Contains(line, " HTTP/") {
				a.received = line
			}
			continue
		}
		if key, value, ok := strings.Cut(line, ": "); ok {
			a.header.Add(key, value)
		}
	}
	return a
}

// mustAsk fails the test where there is no answer at all.
func mustAsk(t *testing.T, r request) answer {
	t.Helper()
	a, err := ask(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.path, err)
	}
	return a
}
